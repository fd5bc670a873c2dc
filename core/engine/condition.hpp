// A peer's state as told to the operator: once when it changes, not once a try.
#pragma once

#include <spdlog/logger.h>

#include <memory>
#include <mutex>
#include <string>

namespace outbox::engine {

class Condition {  // any thread
 public:
  Condition(std::string name, std::shared_ptr<spdlog::logger> logger)
      : name_(std::move(name)), logger_(std::move(logger)) {}

  void Bad(const std::string& why) {
    const std::lock_guard lock(mutex_);
    if (bad_) {
      logger_->debug("{}: {}", name_, why);
      return;
    }
    bad_ = true;
    logger_->warn("{} cannot be used: {}; trying again until it can", name_, why);
  }
  void Good() {
    const std::lock_guard lock(mutex_);
    if (!bad_) return;
    bad_ = false;
    logger_->info("{} is back", name_);
  }
  [[nodiscard]] bool bad() const {
    const std::lock_guard lock(mutex_);
    return bad_;
  }

 private:
  const std::string name_;
  const std::shared_ptr<spdlog::logger> logger_;
  mutable std::mutex mutex_;
  bool bad_ = false;
};

}  // namespace outbox::engine
