// Can the cluster be used? librdkafka reports when it cannot, but never when it can again.
#pragma once

#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "publisher/publisher.hpp"

namespace outbox::kafka {

// What may stop a producer. Each is over only when the same question is answered well: a broker that answers a question
// about metadata may still refuse every record.
enum class Need : std::uint8_t {
  kAnswers,  // any broker answers
  kBrokers,  // a broker that keeps partitions can be reached where it advertises that it is
  kWrites,   // this user may produce
};

// Reports to the listener once per change, and begins as neither. Thread: any
class BrokerState {
 public:
  explicit BrokerState(publisher::PublisherListener& listener) : listener_(listener) {}

  // The newest trouble with a connection: the reason that Lacks will give for kAnswers.
  void Note(std::string trouble) {
    const std::lock_guard lock(mutex_);
    trouble_ = std::move(trouble);
  }
  void Lacks(Need need, const std::string& why) {
    const std::lock_guard lock(mutex_);
    lacking_.insert(need);
    const std::string& reason = need == Need::kAnswers && !trouble_.empty() ? trouble_ : why;
    if (up_ == false && (reason == told_ || need == Need::kAnswers)) return;
    up_ = false;
    told_ = reason;
    listener_.OnBrokerState(false, reason);
  }
  // A better reason for what was reported, such as a refused login after a connection that was closed.
  void Correct(const std::string& why) {
    const std::lock_guard lock(mutex_);
    if (up_ != false || told_ == why) return;
    told_ = why;
    listener_.OnBrokerState(false, why);
  }
  void Has(Need need) {
    const std::lock_guard lock(mutex_);
    if (need == Need::kAnswers) trouble_.clear();
    lacking_.erase(need);
    if (!lacking_.empty() || up_ == true) return;
    up_ = true;
    listener_.OnBrokerState(true, "Kafka answers");
  }
  // A record was stored, so nothing is lacking.
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
    return told_;
  }

 private:
  publisher::PublisherListener& listener_;
  mutable std::mutex mutex_;
  std::optional<bool> up_;
  std::set<Need> lacking_;
  std::string trouble_, told_;
};

}  // namespace outbox::kafka
