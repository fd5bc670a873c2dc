#include "engine/slow_start.hpp"

#include <algorithm>

namespace outbox::engine {

void SlowStart::LeaseBegins(bool slow, bool renewed) {
  active_ = false;
  if (slow) Begin();
  if (!renewed) first_steps_ = slow;
}

void SlowStart::Begin() {
  active_ = true;
  left_ = settings_.window_events;
  step_ = 1;
  steps_ = 0;
}

void SlowStart::StepBegins(bool nothing_waits, std::uint32_t outstanding, std::size_t queued) {
  left_ = nothing_waits ? 0 : left_ - std::min(left_, outstanding);
  if (step_ == 1 && queued == 1) mark_.To(MarkState::kWanted);
  step_ = std::min(2 * step_, settings_.batch_events);
  ++steps_;
}

void SlowStart::StepEnds(bool owner) {
  if (mark_.Is(MarkState::kSet)) mark_.To(MarkState::kNone);
  if (active_ && left_ == 0 && mark_.Is(MarkState::kNone) && owner) {
    active_ = false;
    mark_.To(MarkState::kClearing);
  }
  if (!active_ || LastFirstStepHasBegun()) first_steps_ = false;
}

void SlowStart::Break(bool clears) {
  if (active_) Begin();
  first_steps_ = false;  // a broker that does not answer for one shard must not hold up the other shards
  if (mark_.Is(MarkState::kSet)) mark_.To(clears ? MarkState::kClearing : MarkState::kNone);
  if (mark_.Is(MarkState::kWanted)) mark_.To(MarkState::kNone);
}

bool SlowStart::TakeMark(Time now, bool queued) {
  if (mark_.Is(MarkState::kWanted) && !queued) mark_.To(MarkState::kNone);
  return slot_.Ready(now) && (mark_.Is(MarkState::kClearing) || mark_.Is(MarkState::kWanted));
}

void SlowStart::MarkBegins() {
  slot_.Begin();
  if (mark_.Is(MarkState::kWanted)) mark_.To(MarkState::kWriting);
}

bool SlowStart::Marked(const MarkAnswer& answer, Time now, Backoff& backoff) {
  slot_.End();
  if (answer.code != OUTBOX_OK && answer.code != OUTBOX_LEASE_LOST && !answer.lease_ends) {
    if (!Clears()) mark_.To(MarkState::kWanted);
    slot_.Fails(now, backoff, settings_);
    return false;
  }
  slot_.Succeeds();
  if (Clears() || answer.code == OUTBOX_LEASE_LOST || answer.lease_ends) {
    mark_.To(MarkState::kNone);
    return false;
  }
  const bool give_up = answer.queued && answer.owners > settings_.most_owners;
  // The mark is removed in two cases. An event that is given up is retried only by an operator, who has fixed the cause
  // by then. An event that was dropped is marked again when it is read again.
  mark_.To(answer.queued && !give_up ? MarkState::kSet : MarkState::kClearing);
  return give_up;
}

std::string SlowStart::FindBrokenInvariant(std::uint32_t outstanding) const {
  if (std::string unknown = mark_.counts().FindUnknown(); !unknown.empty()) return unknown;
  if (mark_.Is(MarkState::kWriting) && !slot_.busy())
    return "slow start: the mark is being written, but no write is under way";
  if ((mark_.Is(MarkState::kWanted) || mark_.Is(MarkState::kSet)) && !active_)
    return "slow start: an event is marked outside of a slow start";
  if (mark_.Is(MarkState::kWanted) && outstanding == 0) return "slow start: the event to be marked is missing";
  return {};
}

}  // namespace outbox::engine
