// Is the cluster reachable? librdkafka tells when it is not, but never when it is again.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "publish/publisher.hpp"

namespace outbox::kafka {

// [any] Tells the listener once per change, and begins as neither.
class BrokerState {
 public:
  explicit BrokerState(publish::PublisherListener& listener) : listener_(listener) {}

  // The newest trouble with a connection: the reason that Down will give.
  void Note(std::string trouble) {
    const std::lock_guard lock(mutex_);
    trouble_ = std::move(trouble);
  }
  void Down(const std::string& why) {
    const std::lock_guard lock(mutex_);
    if (up_ == false) return;
    up_ = false;
    listener_.OnBrokerState(false, trouble_.empty() ? why : trouble_);
  }
  void Up() {
    const std::lock_guard lock(mutex_);
    trouble_.clear();
    if (up_ == true) return;
    up_ = true;
    listener_.OnBrokerState(true, "Kafka answers");
  }
  [[nodiscard]] bool up() const {
    const std::lock_guard lock(mutex_);
    return up_ == true;
  }
  [[nodiscard]] std::string trouble() const {
    const std::lock_guard lock(mutex_);
    return trouble_;
  }

 private:
  publish::PublisherListener& listener_;
  mutable std::mutex mutex_;
  std::optional<bool> up_;
  std::string trouble_;
};

}  // namespace outbox::kafka
