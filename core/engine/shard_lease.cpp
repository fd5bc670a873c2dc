#include "engine/shard_lease.hpp"

#include <utility>

namespace outbox::engine {

ShardLease::Effect ShardLease::Hold(std::uint64_t token, Time until, bool slow_start) {
  switch (state_.state()) {
    case LeaseState::kStandby:
      return Begin({token, until, slow_start});
    case LeaseState::kHolding:
    case LeaseState::kHandingOver:
      if (token != token_) break;
      until_ = until;
      return Effect::kNone;
    case LeaseState::kStopping:
      if (token == token_) until_ = until;
      return Effect::kNone;
    case LeaseState::kLost:
      if (token == token_) return Effect::kNone;
      break;
    case LeaseState::kLostAtStop:
    case LeaseState::kStopped:
      return Effect::kNone;
  }
  next_ = {token, until, slow_start || (next_.token == token && next_.slow_start)};
  hands_over_ = false;
  if (IsLost()) return Effect::kNone;
  state_.To(LeaseState::kLost);
  return Effect::kEnds;
}

ShardLease::Effect ShardLease::HandOver(std::uint64_t token, Time until) {
  switch (state_.state()) {
    case LeaseState::kStandby:  // nothing is outstanding any more, or the lease under this token has not begun
      next_ = {};
      released_ = {token, ReleaseReason::kHandOver};
      return Effect::kReleased;
    case LeaseState::kHolding:
      if (token != token_) return Effect::kNone;
      state_.To(LeaseState::kHandingOver);
      until_ = until;
      drain_by_ = until;
      return Effect::kDrains;
    case LeaseState::kHandingOver:
      if (token == token_) until_ = until;
      return Effect::kNone;
    case LeaseState::kLost:
      hands_over_ = token == token_;
      return Effect::kNone;
    case LeaseState::kStopping:
    case LeaseState::kLostAtStop:
    case LeaseState::kStopped:
      break;
  }
  return Effect::kNone;
}

ShardLease::Effect ShardLease::Lose(bool by_storage) {
  if (by_storage) {
    next_ = {};
    hands_over_ = false;
  }
  if (!IsValid()) return Effect::kNone;
  hands_over_ = !by_storage && state_.Is(LeaseState::kHandingOver);
  state_.To(state_.Is(LeaseState::kStopping) ? LeaseState::kLostAtStop : LeaseState::kLost);
  return Effect::kEnds;
}

ShardLease::Effect ShardLease::Stop(Time deadline) {
  switch (state_.state()) {
    case LeaseState::kStandby:
      state_.To(LeaseState::kStopped);
      released_ = {token_, ReleaseReason::kStop};
      return Effect::kReleased;
    case LeaseState::kHolding:
    case LeaseState::kHandingOver:
      state_.To(LeaseState::kStopping);
      drain_by_ = deadline;
      return Effect::kDrains;
    case LeaseState::kLost:
      state_.To(LeaseState::kLostAtStop);
      drain_by_ = deadline;
      return Effect::kNone;
    case LeaseState::kStopping:
    case LeaseState::kLostAtStop:
    case LeaseState::kStopped:
      break;
  }
  return Effect::kNone;
}

command::Released ShardLease::Drained() {
  if (state_.Is(LeaseState::kStopping) || state_.Is(LeaseState::kLostAtStop)) {
    state_.To(LeaseState::kStopped);
    return {token_, ReleaseReason::kStop};
  }
  const bool hands_over = std::exchange(hands_over_, false) || state_.Is(LeaseState::kHandingOver);
  state_.To(LeaseState::kStandby);
  return {token_, hands_over ? ReleaseReason::kHandOver : ReleaseReason::kLost};
}

ShardLease::Effect ShardLease::BeginWaiting() { return Begin(std::exchange(next_, {})); }

ShardLease::Effect ShardLease::Begin(const Lease& lease) {
  state_.To(LeaseState::kHolding);
  until_ = lease.until;
  drain_by_ = kForever;
  renewed_ = slow_start_ && lease.token == token_;
  slow_start_ = lease.slow_start || renewed_;
  token_ = lease.token;
  next_ = {};
  return Effect::kBegins;
}

std::string ShardLease::FindBrokenInvariant(std::uint32_t outstanding) const {
  if (std::string unknown = state_.counts().FindUnknown(); !unknown.empty()) return unknown;
  const bool idle = state_.Is(LeaseState::kStandby) || state_.Is(LeaseState::kStopped);
  if (idle && outstanding > 0) return "shard lease: events are outstanding without a lease";
  if (next_.until > 0 && IsValid()) return "shard lease: a second lease waits while one is valid";
  return {};
}

}  // namespace outbox::engine
