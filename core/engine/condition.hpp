// A peer's state as told to the operator: once when it changes, not once a try. The peer is used in several ways, and what
// stops one need not stop the others: it is back when all of them work again.
#pragma once

#include <spdlog/logger.h>

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace outbox::engine {

class Condition {  // any thread
 public:
  Condition(std::string name, std::shared_ptr<spdlog::logger> logger)
      : name_(std::move(name)), logger_(std::move(logger)) {}

  struct Use {
    const void* who = nullptr;
    int what = 0;
    auto operator<=>(const Use&) const = default;  // NOLINT(modernize-use-nullptr): it takes the 0 of <=> for a pointer
  };

  void Bad(Use use, const std::string& why) {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    const bool first = stopped_.empty();
    stopped_[use] = now;
    if (first) told_.clear();
    if ((!first && now - told_at_ < kNextReason) || !told_.insert(why).second) {
      logger_->debug("{}: {}", name_, why);
      return;
    }
    told_at_ = now;
    logger_->warn("{} {} be used: {}; trying again until it can", name_, first ? "cannot" : "still cannot", why);
  }
  void Good(Use use) {
    const std::lock_guard lock(mutex_);
    if (stopped_.empty()) return;
    const auto now = Clock::now();
    std::erase_if(stopped_, [&](const auto& one) { return one.first == use || now - one.second > kForgotten; });
    if (stopped_.empty()) logger_->info("{} is back", name_);
  }

 private:
  using Clock = std::chrono::steady_clock;
  // The steps of a restart are one outage. After that, a reason that is new is news: a server that was down comes back
  // read-only.
  static constexpr auto kNextReason = std::chrono::seconds(10);
  // Not tried any more: a relay that became a standby does not read.
  static constexpr auto kForgotten = std::chrono::seconds(60);

  const std::string name_;
  const std::shared_ptr<spdlog::logger> logger_;
  std::mutex mutex_;
  std::map<Use, Clock::time_point> stopped_;  // last tried
  std::set<std::string> told_;                // reasons, since it was good
  Clock::time_point told_at_;
};

}  // namespace outbox::engine
