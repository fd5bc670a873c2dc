// A look at the brokers and at topics, for `outbox-relay check`.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kafka/certificates.hpp"
#include "kafka/rdkafka.hpp"
#include "kafka/reach.hpp"
#include "kafka/settings.hpp"
#include "util/status.hpp"

namespace outbox::cli {

class Cluster {
 public:
  // Does not connect yet. OUTBOX_BAD_CONFIG: librdkafka's reason.
  [[nodiscard]] static Result<std::unique_ptr<Cluster>> Open(kafka::Settings settings);

  struct Seen {
    std::map<std::int32_t, std::string> brokers;  // the address that each advertises
    std::map<std::string, int> partitions;        // by topic
  };
  struct Trouble {
    std::string text;
    bool login = false;  // a broker answered, and refused certificate or credentials; `text` says what to do
  };
  // Makes no topic, whatever the broker is set to. Otherwise trouble() has the reason of the last failed connection.
  [[nodiscard]] std::optional<Seen> Look(std::chrono::milliseconds timeout);
  [[nodiscard]] const Trouble& trouble() const { return trouble_; }
  // Connects to each broker where it advertises that it is; one sentence for each that this fails for.
  [[nodiscard]] std::vector<std::string> Unreachable(const Seen& seen, std::chrono::milliseconds timeout);

  // May this user read the topic's max.message.bytes (DescribeConfigs)? True where nobody says no.
  [[nodiscard]] bool MayReadLimit(const Seen& seen, const std::string& topic, std::chrono::milliseconds timeout);

  // With the broker's own number of partitions and replicas.
  [[nodiscard]] Status Create(const std::string& topic, std::chrono::milliseconds timeout);

 private:
  explicit Cluster(kafka::Settings settings) : settings_(std::move(settings)) {}
  static kafka::CertificateTroubles& Troubles(void* cluster) { return static_cast<Cluster*>(cluster)->certificates_; }
  // The newest failure of each connection, by librdkafka's name of the broker.
  [[nodiscard]] std::map<std::string, kafka::ConnectionError> TakeErrors();

  const kafka::Settings settings_;
  kafka::CertificateTroubles certificates_;
  Trouble trouble_;
  kafka::HandlePtr handle_;  // last: its threads use the others
};

}  // namespace outbox::cli
