// The health of a peer, and its log lines: a change of state is logged once, not on every attempt. A peer is used in
// several ways, and an obstacle to one of them need not affect the others. The peer counts as available again when none
// of its uses fails any more.
#pragma once

#include <spdlog/fwd.h>

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
  bool met = false;  // true if the peer has been available at least once
  std::optional<Trouble> trouble;
};

// Thread: any.
class PeerHealth {
 public:
  PeerHealth(std::string name, std::shared_ptr<spdlog::logger> logger)
      : name_(std::move(name)), logger_(std::move(logger)) {}

  // Returns an object that logs nothing and belongs to no peer. It is for callers whose failures delay no event and so
  // are not an outage. An outage is reported by the callers that deliver events.
  static std::shared_ptr<PeerHealth> Nobodys();

  // One way of using the peer.
  struct Use {
    const void* who = nullptr;                     // the object that calls the peer
    int what = 0;                                  // the kind of call
    auto operator<=>(const Use&) const = default;  // NOLINT(modernize-use-nullptr): it takes the 0 of <=> for a pointer
  };

  // Report that a call has failed or succeeded.
  void Bad(Use use, const std::string& why);
  void Good(Use use);
  // Forget a caller, or one kind of its calls, because the peer is not used in that way for now: the last result of
  // these calls no longer counts towards the peer's health.
  void Forget(const void* who);
  void Forget(Use use);
  [[nodiscard]] PeerState State() const;

 private:
  using Clock = std::chrono::steady_clock;

  const std::string name_;
  const std::shared_ptr<spdlog::logger> logger_;
  mutable std::mutex mutex_;
  bool met_ = false;
  bool down_ = false;                         // true if the last logged state is that the peer is unavailable
  std::map<Use, Clock::time_point> stopped_;  // the uses whose last call failed, and the times of these calls
  std::set<std::string> logged_;              // the reasons that were logged since the peer was available
  Clock::time_point logged_at_;               // the time at which the last of these reasons was logged
  Clock::time_point since_;                   // the time since which at least one use has been failing
  std::string why_;                           // the newest reason
};

}  // namespace outbox::runtime
