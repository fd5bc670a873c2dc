#include "engine/shard_lease.hpp"

namespace outbox::engine {

void ShardLease::Held(std::uint64_t token, Time until, bool slow_start) {
  if (phase_ == Phase::kStopped) return;
  const bool stopping = phase_ == Phase::kStopping;
  const bool at_work = stopping || phase_ == Phase::kHolding || phase_ == Phase::kHandingOver;
  if (at_work && token == token_) {
    engine_.LeaseHeld(until);
  } else if (stopping) {
    return;
  } else if (phase_ == Phase::kStandby) {
    Adopt({token, until, slow_start});
  } else {
    next_ = {token, until, slow_start || (next_.token == token && next_.slow_start)};
    if (at_work) engine_.LeaseLost();
    phase_ = Phase::kWindingUp;
  }
}

void ShardLease::Lost() {
  next_ = {};
  if (phase_ != Phase::kHolding && phase_ != Phase::kHandingOver && phase_ != Phase::kStopping) return;
  if (phase_ != Phase::kStopping) phase_ = Phase::kWindingUp;
  engine_.LeaseLost();
}

bool ShardLease::HandOver(std::uint64_t token, Time until) {
  // In hand is nothing any more, or not under this lease.
  if (phase_ == Phase::kStandby) return true;
  if (token != token_) return false;
  if (phase_ == Phase::kHolding) WindUp(Phase::kHandingOver, until);
  if (phase_ == Phase::kHandingOver) engine_.LeaseHeld(until);
  return false;
}

void ShardLease::Stop(Time deadline) {
  if (phase_ != Phase::kStopping && phase_ != Phase::kStopped) WindUp(Phase::kStopping, deadline);
}

ShardLease::Ended ShardLease::Retired() {
  const Phase before = phase_;
  phase_ = before == Phase::kStopping ? Phase::kStopped : Phase::kStandby;
  if (before == Phase::kStopping) return Ended::kForGood;
  return before == Phase::kHandingOver ? Ended::kHandOver : Ended::kLease;
}

void ShardLease::Resume() {
  if (phase_ == Phase::kStandby && next_.until > 0) Adopt(Lease(next_));
}

void ShardLease::WindUp(Phase phase, Time deadline) {
  phase_ = phase;
  next_ = {};
  engine_.Retire(deadline);
}

void ShardLease::Adopt(const Lease& lease) {
  token_ = lease.token;
  next_ = {};
  phase_ = Phase::kHolding;
  engine_.LeaseHeld(lease.until, lease.slow_start);
}

}  // namespace outbox::engine
