// A peer's state as told to the operator: once when it changes, not once a try. The peer is used in several ways, and what
// stops one need not stop the others: it is back when all of them work again.
#pragma once

#include <spdlog/logger.h>

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

namespace outbox::runtime {

struct PeerState {
  struct Trouble {
    std::chrono::steady_clock::duration lasts;
    std::string why;  // the newest reason
  };
  bool met = false;  // it has worked at least once
  std::optional<Trouble> trouble;
};

class PeerHealth {  // any thread
 public:
  PeerHealth(std::string name, std::shared_ptr<spdlog::logger> logger)
      : name_(std::move(name)), logger_(std::move(logger)) {}

  // For those whose failures hold up no event: they are no outage. An outage is told by those who work.
  static std::shared_ptr<PeerHealth> Nobodys() {
    return std::make_shared<PeerHealth>("", std::make_shared<spdlog::logger>("without sinks"));
  }

  struct Use {
    const void* who = nullptr;
    int what = 0;
    auto operator<=>(const Use&) const = default;  // NOLINT(modernize-use-nullptr): it takes the 0 of <=> for a pointer
  };

  void Bad(Use use, const std::string& why) {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    const bool first = !down_;
    if (stopped_.empty()) since_ = now;
    stopped_[use] = now;
    why_ = why;
    if (first) told_.clear();
    down_ = true;
    if ((!first && now - told_at_ < kNextReason) || !told_.insert(why).second) {
      logger_->debug("{}: {}", name_, why);
      return;
    }
    told_at_ = now;
    logger_->warn("{} {} be used: {}; trying again until it can", name_, first ? "cannot" : "still cannot", why);
  }
  void Good(Use use) {
    const std::lock_guard lock(mutex_);
    met_ = true;
    if (!down_) return;
    const auto now = Clock::now();
    std::erase_if(stopped_, [&](const auto& one) { return one.first == use || now - one.second > kForgotten; });
    if (!stopped_.empty()) return;
    down_ = false;
    logger_->info("{} is back", name_);
  }
  // Who used the peer does so no more, or not for now, and says no more whether it works.
  void Forget(const void* who) {
    const std::lock_guard lock(mutex_);
    std::erase_if(stopped_, [who](const auto& one) { return one.first.who == who; });
  }
  [[nodiscard]] PeerState State() const {
    const std::lock_guard lock(mutex_);
    PeerState state{met_, std::nullopt};
    if (!stopped_.empty()) state.trouble = {Clock::now() - since_, why_};
    return state;
  }

 private:
  using Clock = std::chrono::steady_clock;
  // The steps of a restart are one outage. After that, a reason that is new is news: a server that was down comes back
  // read-only.
  static constexpr auto kNextReason = std::chrono::seconds(10);
  // Not tried any more: what it was for has gone.
  static constexpr auto kForgotten = std::chrono::seconds(60);

  const std::string name_;
  const std::shared_ptr<spdlog::logger> logger_;
  mutable std::mutex mutex_;
  bool met_ = false;
  bool down_ = false;                         // as last told
  std::map<Use, Clock::time_point> stopped_;  // last tried
  std::set<std::string> told_;                // reasons, since it was good
  Clock::time_point told_at_, since_;
  std::string why_;
};

}  // namespace outbox::runtime
