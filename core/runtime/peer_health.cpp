#include "runtime/peer_health.hpp"

#include "util/log.hpp"

namespace outbox::runtime {
namespace {

// The minimum time between two logged reasons of an outage, because the steps of a restart are one outage. After that
// time a new reason matters: a server that was down may return as read-only.
constexpr auto kNextReason = std::chrono::seconds(10);
// A failing use that has not been tried for this long is ignored, because its purpose is gone.
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
  if (first) logged_.clear();
  down_ = true;
  if ((!first && now - logged_at_ < kNextReason) || !logged_.insert(why).second) {
    util::LogDebug(*logger_, "{}: {}", name_, why);
    return;
  }
  logged_at_ = now;
  util::LogWarning(*logger_, "{} {}: {}; retrying", name_, first ? "unavailable" : "still unavailable", why);
}

void PeerHealth::Good(Use use) {
  const std::lock_guard lock(mutex_);
  met_ = true;
  if (!down_) return;
  const auto now = Clock::now();
  std::erase_if(stopped_, [&](const auto& one) { return one.first == use || now - one.second > kForgotten; });
  if (!stopped_.empty()) return;
  down_ = false;
  util::LogInfo(*logger_, "{} available again", name_);
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
