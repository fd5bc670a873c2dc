#include <algorithm>
#include <cassert>

#include "engine/engine.hpp"

// The small steps after a lease that its owner let end, and the mark on the event that stands alone in the first one.

namespace outbox::engine {

void Engine::BeCareful() {
  careful_ = true;
  careful_left_ = settings_.window_events;
  careful_step_ = 1;
}

void Engine::BeginCarefulStep(bool nothing_waits) {
  careful_left_ = nothing_waits ? 0 : careful_left_ - std::min<std::uint32_t>(careful_left_, Outstanding());
  if (careful_step_ == 1 && queue_.size() == 1) mark_ = Mark::kWanted;
  careful_step_ = std::min(2 * careful_step_, settings_.batch_events);
}

void Engine::EndCarefulStep() {
  if (Outstanding() > 0 || reserving_) return;
  if (mark_ == Mark::kSet) mark_ = Mark::kNone;
  if (careful_ && careful_left_ == 0 && mark_ == Mark::kNone && mode_ == Mode::kActive) {
    careful_ = false;
    mark_ = Mark::kClearing;
  }
  if (!careful_ || careful_step_ > 1) first_step_ = false;
}

void Engine::BreakCarefulStep(bool outage) {
  if (careful_) BeCareful();
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
