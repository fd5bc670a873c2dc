// The successive leases of one shard. Nothing of a lease is outstanding when the next one begins.
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
  // What the engine has to do because of an input.
  enum class Effect : std::uint8_t {
    kNone,
    kBegins,    // begin to deliver; see slow_start()
    kDrains,    // begin nothing new, and finish what is outstanding
    kEnds,      // the lease is lost: drop what is outstanding
    kReleased,  // nothing was outstanding: report released()
  };

  // Begins a lease or renews it. The lease under `token` lasts until `until` by the caller's clock, counted from before
  // it was requested; kForever = the storage has no leases. A new token is a new lease. `slow_start` = the previous
  // owner let its lease expire. Once it was true for a token it stays so, even if the lease expires by the clock and is
  // renewed afterwards.
  Effect Hold(std::uint64_t token, Time until, bool slow_start);
  // Another relay is to own the shard. While the shard is drained, the lease is renewed until `until`.
  Effect HandOver(std::uint64_t token, Time until);
  // The lease is lost. `by_storage` = the storage says so, not only the clock: then a lease that was gained meanwhile
  // is lost, too.
  Effect Lose(bool by_storage);
  // Stops the shard for good. Events without an answer at `deadline` are given up as unknown.
  Effect Stop(Time deadline);

  // Called when nothing is outstanding any more. Returns what to report.
  [[nodiscard]] command::Released Drained();
  [[nodiscard]] bool IsEnding() const {
    return IsLost() || state_.Is(LeaseState::kHandingOver) || state_.Is(LeaseState::kStopping);
  }
  // True if a lease that was gained meanwhile can begin now.
  [[nodiscard]] bool Waits(Time now) const { return state_.Is(LeaseState::kStandby) && next_.until > now; }
  Effect BeginWaiting();

  // True if the relay owns the shard and delivers it.
  [[nodiscard]] bool IsOwner() const { return state_.Is(LeaseState::kHolding); }
  // True if the lease is lost: nothing more may be sent, and writes about failures would be refused.
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
  friend struct PartProbe;  // for the tests

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
  bool hands_over_ = false;  // lost during a hand-over: the storage may still name this relay as the owner
  Lease next_;               // the lease that was gained while another one is ending
  command::Released released_;
};

}  // namespace outbox::engine
