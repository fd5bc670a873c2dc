#include "runtime/peer_health.hpp"

#include "util/log.hpp"

namespace outbox::runtime {
namespace {

// The steps of a restart are one outage. After that, a reason that is new is news: a server that was down comes back
// read-only.
constexpr auto kNextReason = std::chrono::seconds(10);
// Not tried any more: what it was for has gone.
constexpr auto kForgotten = std::chrono::seconds(60);

}  // namespace

std::shared_ptr<PeerHealth> PeerHealth::Nobodys() { return std::make_shared<PeerHealth>("", util::MakeSilentLogger()); }

void PeerHealth::Bad(Use use, const std::string& why) {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  const bool first = !down_;
  if (stopped_.empty()) since_ = now;
  stopped_[use] = now;
  why_ = why;
  if (first) told_.clear();
  down_ = true;
  if ((!first && now - told_at_ < kNextReason) || !told_.insert(why).second) {
    util::LogDebug(*logger_, "{}: {}", name_, why);
    return;
  }
  told_at_ = now;
  util::LogWarning(*logger_, "{} {} be used: {}; trying again until it can", name_, first ? "cannot" : "still cannot",
                   why);
}

void PeerHealth::Good(Use use) {
  const std::lock_guard lock(mutex_);
  met_ = true;
  if (!down_) return;
  const auto now = Clock::now();
  std::erase_if(stopped_, [&](const auto& one) { return one.first == use || now - one.second > kForgotten; });
  if (!stopped_.empty()) return;
  down_ = false;
  util::LogInfo(*logger_, "{} is back", name_);
}

void PeerHealth::Forget(const void* who) {
  const std::lock_guard lock(mutex_);
  std::erase_if(stopped_, [who](const auto& one) { return one.first.who == who; });
}

void PeerHealth::Forget(Use use) {
  const std::lock_guard lock(mutex_);
  stopped_.erase(use);
}

PeerState PeerHealth::State() const {
  const std::lock_guard lock(mutex_);
  PeerState state{met_, std::nullopt};
  if (!stopped_.empty()) state.trouble = {Clock::now() - since_, why_};
  return state;
}

}  // namespace outbox::runtime
