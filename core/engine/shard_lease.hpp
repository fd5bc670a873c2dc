// The successive leases of one shard. No event is outstanding under a lease any more when the next lease begins.
// Owned by Engine. Thread: engine
//
// INVARIANT: events of the shard are outstanding under one token at a time, which is token().
// INVARIANT: a lease that is gained while another one is ending waits, and begins only in standby.
// INVARIANT: nothing begins after the shard was stopped.
#pragma once

#include <cstdint>
#include <string>

#include "engine/command.hpp"
#include "engine/transitions.hpp"

namespace outbox::engine {

class ShardLease {
 public:
  // The action that an input requires from the engine.
  enum class Effect : std::uint8_t {
    kNone,
    kBegins,    // begin to deliver, slowly if slow_start()
    kDrains,    // begin nothing new, and finish the outstanding events
    kEnds,      // the lease is lost: drop the outstanding events
    kReleased,  // nothing was outstanding: report released()
  };

  // Begins a lease or renews it. The lease under `token` lasts until `until` by the caller's clock, computed from a
  // time before the lease was requested; kForever = the storage has no leases. A new token is a new lease. `slow_start`
  // is true if the previous owner let its lease expire. Once `slow_start` was true for a token it stays true for that
  // token, even if the lease expires by the clock and is renewed afterwards.
  Effect Hold(std::uint64_t token, Time until, bool slow_start);
  // Begins a hand-over: another relay is to own the shard. While the shard is drained, the lease is renewed until
  // `until`.
  Effect HandOver(std::uint64_t token, Time until);
  // Ends the lease, because it is lost. `by_storage` is true if the storage reports the loss, and false if only the
  // clock does. If the storage reports the loss, a gained lease that has not begun yet is lost, too.
  Effect Lose(bool by_storage);
  // Stops the shard for good. Events without an answer at `deadline` are given up as unknown.
  Effect Stop(Time deadline);

  // Ends the lease when no event is outstanding any more. Returns the command that reports the end.
  [[nodiscard]] command::Released Drained();
  [[nodiscard]] bool IsEnding() const {
    return IsLost() || state_.Is(LeaseState::kHandingOver) || state_.Is(LeaseState::kStopping);
  }
  // True if a lease that was gained while another one was ending can begin now.
  [[nodiscard]] bool Waits(Time now) const { return state_.Is(LeaseState::kStandby) && next_.until > now; }
  Effect BeginWaiting();

  // True if the relay owns the shard and delivers it.
  [[nodiscard]] bool IsOwner() const { return state_.Is(LeaseState::kHolding); }
  // True if the lease is lost: nothing more may be sent, and the storage refuses writes about failures.
  [[nodiscard]] bool IsLost() const { return state_.Is(LeaseState::kLost) || state_.Is(LeaseState::kLostAtStop); }
  // True if the relay delivers the shard, or drains it under its lease.
  [[nodiscard]] bool IsValid() const {
    return IsOwner() || state_.Is(LeaseState::kHandingOver) || state_.Is(LeaseState::kStopping);
  }
  [[nodiscard]] bool IsDraining() const { return IsValid() && !IsOwner(); }
  [[nodiscard]] bool CanEnd() const { return until_ != kForever; }
  [[nodiscard]] Time until() const { return until_; }
  [[nodiscard]] Time drain_by() const { return drain_by_; }
  [[nodiscard]] std::uint64_t token() const { return token_; }
  [[nodiscard]] bool slow_start() const { return slow_start_; }
  // True if the slow start had already begun under this token, before the lease expired by the clock and was renewed.
  [[nodiscard]] bool renewed() const { return renewed_; }
  [[nodiscard]] command::Released released() const { return released_; }

  [[nodiscard]] const StateMachine<LeaseState>& state() const { return state_; }
  [[nodiscard]] std::string FindBrokenInvariant(std::uint32_t outstanding) const;

 private:
  friend struct PartProbe;  // lets the tests set private fields

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
  // true if the lease was lost during a hand-over: the storage may still name this relay as the owner
  bool hands_over_ = false;
  Lease next_;  // the lease that was gained while another one is ending
  command::Released released_;
};

}  // namespace outbox::engine
