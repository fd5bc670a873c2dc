// Tracks whether the Kafka cluster is available. librdkafka reports that the cluster has become unavailable, but never
// that it is available again.
#pragma once

#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "publisher/publisher.hpp"

namespace outbox::kafka {

// The conditions for sending records. After a condition has failed, only a success of the request that failed shows
// that the condition is met again: a broker that answers a metadata request may still refuse every record.
enum class Need : std::uint8_t {
  kAnswers,  // at least one broker answers
  kBrokers,  // at least one broker that holds partitions can be reached at the address that it advertises
  kWrites,   // the user has permission to produce
};

// Tracks which conditions are met. Reports to the listener, once for each change, when the cluster becomes available or
// unavailable, or when the reason changes. Before the first report, the cluster counts neither as available nor as
// unavailable.
// Owned by KafkaPublisher. Thread: any
class BrokerState {
 public:
  explicit BrokerState(publisher::PublisherListener& listener) : listener_(listener) {}

  // Stores the latest problem with a connection. Lacks() then reports this problem as the reason for Need::kAnswers.
  void Note(std::string trouble) {
    const std::lock_guard lock(mutex_);
    trouble_ = std::move(trouble);
  }
  // Notes that the condition `need` is not met; `why` is the reason.
  void Lacks(Need need, const std::string& why) {
    const std::lock_guard lock(mutex_);
    lacking_.insert(need);
    const std::string& reason = need == Need::kAnswers && !trouble_.empty() ? trouble_ : why;
    if (up_ == false && (reason == reported_ || need == Need::kAnswers)) return;
    up_ = false;
    reported_ = reason;
    listener_.OnBrokerState(false, reason);
  }
  // Reports `why` as a better reason if the cluster is unavailable, for example a refused login in place of a closed
  // connection.
  void Correct(const std::string& why) {
    const std::lock_guard lock(mutex_);
    if (up_ != false || reported_ == why) return;
    reported_ = why;
    listener_.OnBrokerState(false, why);
  }
  // Notes that the condition `need` is met.
  void Has(Need need) {
    const std::lock_guard lock(mutex_);
    if (need == Need::kAnswers) trouble_.clear();
    lacking_.erase(need);
    if (!lacking_.empty() || up_ == true) return;
    up_ = true;
    listener_.OnBrokerState(true, "Kafka answers");
  }
  // Notes that a record was acknowledged, so that all conditions are met.
  void Stored() {
    const std::lock_guard lock(mutex_);
    trouble_.clear();
    lacking_.clear();
    if (up_ == true) return;
    up_ = true;
    listener_.OnBrokerState(true, "Kafka answers");
  }

  [[nodiscard]] bool up() const {
    const std::lock_guard lock(mutex_);
    return up_ == true;
  }
  [[nodiscard]] bool Is(Need lacking) const {
    const std::lock_guard lock(mutex_);
    return lacking_.contains(lacking);
  }
  [[nodiscard]] std::string trouble() const {
    const std::lock_guard lock(mutex_);
    return trouble_;
  }
  [[nodiscard]] std::string reason() const {
    const std::lock_guard lock(mutex_);
    return reported_;
  }

 private:
  publisher::PublisherListener& listener_;
  mutable std::mutex mutex_;
  std::optional<bool> up_;
  std::set<Need> lacking_;
  std::string trouble_, reported_;
};

}  // namespace outbox::kafka
