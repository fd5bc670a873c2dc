#include <algorithm>
#include <cassert>

#include "engine/engine.hpp"

// The small steps after a lease that its owner let end, and the mark on the event that stands alone in the first one.

namespace outbox::engine {

void Engine::BeginSlowStart() {
  slow_start_ = true;
  slow_start_left_ = settings_.window_events;
  slow_start_step_ = 1;
}

void Engine::BeginSlowStartStep(bool nothing_waits) {
  slow_start_left_ = nothing_waits ? 0 : slow_start_left_ - std::min<std::uint32_t>(slow_start_left_, Outstanding());
  if (slow_start_step_ == 1 && queue_.size() == 1) mark_ = Mark::kWanted;
  slow_start_step_ = std::min(2 * slow_start_step_, settings_.batch_events);
}

void Engine::EndSlowStartStep() {
  if (Outstanding() > 0 || reserving_) return;
  if (mark_ == Mark::kSet) mark_ = Mark::kNone;
  if (slow_start_ && slow_start_left_ == 0 && mark_ == Mark::kNone && mode_ == Mode::kActive) {
    slow_start_ = false;
    mark_ = Mark::kClearing;
  }
  if (!slow_start_ || slow_start_step_ > 1) first_step_ = false;
}

void Engine::BreakSlowStartStep(bool outage) {
  if (slow_start_) BeginSlowStart();
  first_step_ = false;  // else a broker that does not answer for one shard would keep back the others
  if (mark_ == Mark::kSet) mark_ = outage && mode_ != Mode::kLost ? Mark::kClearing : Mark::kNone;
  if (mark_ == Mark::kWanted) mark_ = Mark::kNone;
}

void Engine::EmitMark() {
  SlotOf(Write::kMark).busy = true;
  Emit(Do::kMark, mark_ == Mark::kClearing ? std::span<const EventIndex>() : std::span(&queue_.front(), 1));
  if (mark_ == Mark::kWanted) mark_ = Mark::kWriting;
}

void Engine::Marked(outbox_code code, std::uint32_t owners) {
  WriteSlot& slot = SlotOf(Write::kMark);
  assert(slot.busy);
  slot.busy = false;
  const bool clearing = mark_ == Mark::kClearing;
  if (code != OUTBOX_OK && code != OUTBOX_LEASE_LOST && mode_ != Mode::kLost) {
    if (!clearing) mark_ = Mark::kWanted;
    slot.not_before = now_ + backoff_.After(++slot.failures, settings_.min_backoff, settings_.max_backoff);
    return;
  }
  slot.failures = 0;
  mark_ = Mark::kNone;
  if (code == OUTBOX_LEASE_LOST) {
    if (lease_until_ != kForever) LeaseLost();
  } else if (!clearing && mode_ != Mode::kLost) {
    if (queue_.empty()) {  // dropped meanwhile
      mark_ = Mark::kClearing;
    } else if (owners > settings_.most_owners) {
      const EventIndex e = queue_.front();
      queue_.pop_front();
      Fail(e, publisher::kEndsRelays);
      mark_ = Mark::kClearing;  // whoever tries it again has fixed it
    } else {
      mark_ = Mark::kSet;
    }
  }
}

}  // namespace outbox::engine
