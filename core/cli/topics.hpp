// A look at the brokers and at topics, for `outbox-relay check`.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kafka/rdkafka.hpp"
#include "status.hpp"

namespace outbox::cli {

class Cluster {
 public:
  // Does not connect yet. OUTBOX_BAD_CONFIG: librdkafka's reason.
  [[nodiscard]] static Result<std::unique_ptr<Cluster>> Open(std::map<std::string, std::string> properties);

  struct Seen {
    int brokers = 0;
    std::map<std::string, int> partitions;  // by topic
  };
  // Makes no topic, whatever the broker is set to. OUTBOX_UNAVAILABLE with the reason of the last failed connection.
  [[nodiscard]] Result<Seen> Look(std::chrono::milliseconds timeout);

  // With the broker's own number of partitions and replicas.
  [[nodiscard]] Status Create(const std::string& topic, std::chrono::milliseconds timeout);

 private:
  Cluster() = default;
  [[nodiscard]] std::string Reason(const std::string& otherwise);

  kafka::HandlePtr handle_;
};

}  // namespace outbox::cli
