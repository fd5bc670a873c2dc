// The leases of one shard, one after the other: nothing of one is outstanding when the next one begins.
//
// INVARIANT: the shard is worked on under one token at a time, the one of the lease in token().
// INVARIANT: a lease that was gained while another one ends waits, and begins only in standby.
// INVARIANT: nothing begins after the shard was stopped.
#pragma once

#include <cstdint>
#include <string>

#include "engine/command.hpp"
#include "engine/transitions.hpp"

namespace outbox::engine {

class ShardLease {
 public:
  // What the engine has to do about an input.
  enum class Effect : std::uint8_t {
    kNone,
    kBegins,    // begin to work; see slow_start()
    kDrains,    // begin nothing new, and finish what is outstanding
    kEnds,      // the lease is gone: drop what is outstanding
    kReleased,  // nothing was outstanding: report `released()`
  };

  // The lease under `token` lasts until `until`, by the caller's clock, counted from before it was asked for; kForever = a
  // storage without leases. A new token is a new lease. `slow_start`: its last owner let it end; once said, it holds for the
  // token, also where the lease ends by the clock and is renewed afterwards.
  Effect Hold(std::uint64_t token, Time until, bool slow_start);
  // Another relay is to own the shard; the lease is renewed until `until` meanwhile.
  Effect HandOver(std::uint64_t token, Time until);
  // The storage or the clock says that the lease is gone. `by_storage`: so a lease that was gained meanwhile is gone, too.
  Effect Lose(bool by_storage);
  // For good. What has no answer at `deadline` is given up as unknown.
  Effect Stop(Time deadline);

  // Nothing is outstanding any more.
  [[nodiscard]] command::Released Drained();
  [[nodiscard]] bool IsEnding() const {
    return IsLost() || state_.Is(LeaseState::kHandingOver) || state_.Is(LeaseState::kStopping);
  }
  // A lease was gained meanwhile, and it can begin.
  [[nodiscard]] bool Waits(Time now) const { return state_.Is(LeaseState::kStandby) && next_.until > now; }
  Effect BeginWaiting();

  // Owns the shard and works.
  [[nodiscard]] bool IsOwner() const { return state_.Is(LeaseState::kHolding); }
  // May send nothing more, and its writes about failures would be refused.
  [[nodiscard]] bool IsLost() const { return state_.Is(LeaseState::kLost) || state_.Is(LeaseState::kLostAtStop); }
  // Is the owner, or drains under the lease.
  [[nodiscard]] bool IsValid() const {
    return IsOwner() || state_.Is(LeaseState::kHandingOver) || state_.Is(LeaseState::kStopping);
  }
  [[nodiscard]] bool IsDraining() const { return IsValid() && !IsOwner(); }
  [[nodiscard]] bool CanEnd() const { return until_ != kForever; }
  [[nodiscard]] Time until() const { return until_; }
  [[nodiscard]] Time drain_by() const { return drain_by_; }
  [[nodiscard]] std::uint64_t token() const { return token_; }
  [[nodiscard]] bool slow_start() const { return slow_start_; }
  // Of a slow start: it had begun under this token, and the lease ended by the clock meanwhile.
  [[nodiscard]] bool renewed() const { return renewed_; }
  [[nodiscard]] command::Released released() const { return released_; }

  [[nodiscard]] const StateMachine<LeaseState>& state() const { return state_; }
  [[nodiscard]] std::string FindBrokenInvariant(std::uint32_t outstanding) const;

 private:
  friend struct PartProbe;  // of the tests

  struct Lease {
    std::uint64_t token = 0;
    Time until = 0;
    bool slow_start = false;
  };
  Effect Begin(const Lease& lease);

  StateMachine<LeaseState> state_;
  std::uint64_t token_ = 0;
  Time until_ = 0;
  Time drain_by_ = kForever;
  bool slow_start_ = false, renewed_ = false;
  bool hands_over_ = false;  // lost while it was handed over: the storage may still name this relay as the owner
  Lease next_;               // gained while another one ends
  command::Released released_;
};

}  // namespace outbox::engine
