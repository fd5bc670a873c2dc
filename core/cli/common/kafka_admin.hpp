// Queries brokers and topics, and creates topics, for `outbox-relay check` and `outbox-relay import --verify`.
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

// A client of the configured Kafka cluster. A command owns it. Thread: one at a time.
class Cluster {
 public:
  // Makes a client, which does not connect yet. Errors: OUTBOX_BAD_CONFIG with librdkafka's reason.
  [[nodiscard]] static Result<std::unique_ptr<Cluster>> Open(kafka::Settings settings);

  struct Seen {
    std::map<std::int32_t, std::string> brokers;  // The address that each broker advertises, by broker id.
    std::map<std::string, int> partitions;        // The number of partitions, by topic.
  };
  struct Trouble {
    std::string text;
    // True if a broker was reached but the certificate or the login was refused; `text` then says what to do.
    bool login = false;
  };
  // Requests the list of brokers and topics. Creates no topic, whatever the broker's auto.create.topics.enable is.
  // Returns nothing after a failure; trouble() then returns the reason.
  [[nodiscard]] std::optional<Seen> Look(std::chrono::milliseconds timeout);
  [[nodiscard]] const Trouble& trouble() const { return trouble_; }
  // Connects to each broker at the address that it advertises. Returns a sentence for each broker that does not answer.
  [[nodiscard]] std::vector<std::string> Unreachable(const Seen& seen, std::chrono::milliseconds timeout);

  // Returns false if the broker denies this user max.message.bytes of the topic (DescribeConfigs). Returns true in all
  // other cases, even if no broker answers within `timeout`.
  [[nodiscard]] bool MayReadLimit(const Seen& seen, const std::string& topic, std::chrono::milliseconds timeout);

  // Creates a topic with the broker's default numbers of partitions and replicas. Returns OK if the topic already
  // exists.
  [[nodiscard]] Status Create(const std::string& topic, std::chrono::milliseconds timeout);

 private:
  explicit Cluster(kafka::Settings settings) : settings_(std::move(settings)) {}
  static kafka::CertificateTroubles& Troubles(void* cluster) { return static_cast<Cluster*>(cluster)->certificates_; }
  // Takes the pending error events. Returns the newest failure of each connection, by librdkafka's name of the broker.
  [[nodiscard]] std::map<std::string, kafka::ConnectionError> TakeErrors();

  const kafka::Settings settings_;
  kafka::CertificateTroubles certificates_;
  Trouble trouble_;
  kafka::HandlePtr handle_;  // The last member, because its threads use the other members.
};

}  // namespace outbox::cli
