// The slow start after a lease that its owner let end: perhaps an event ends every relay that sends it (a poison event). One
// event is read, sent and settled, then two, four and so on, until as many are through as the last owner can have held. The
// event that stands alone in the first step is marked in the storage before it is sent, so that an end of the process
// names it, and the next owner counts the owners that it has ended (docs/design/decisions/0013).
//
// INVARIANT: no event is sent while the one in the first step is not marked (HoldsSending).
// INVARIANT: during a slow start a step is read only when nothing of the last one is outstanding.
// INVARIANT: a mark is written about the first event of the queue, and only in a slow start.
// The relay's other shards wait until the first few steps are over (InFirstSteps). If they waited for the first one alone,
// their marked events would be blamed for an event that ends the relay in the second step of this shard. What the first steps
// have delivered is not in the way of the next owner, so the event gets into the first steps of its own shard.
//
// INVARIANT: the first steps are over when nothing of the last of them is outstanding.
#pragma once

#include <cstdint>
#include <string>

#include "engine/transitions.hpp"
#include "engine/write_queue.hpp"
#include "outbox/plugin.h"

namespace outbox::engine {

struct MarkAnswer {
  outbox_code code = OUTBOX_OK;
  std::uint32_t owners = 0;
  bool queued = false;      // the event is still there
  bool lease_ends = false;  // it is lost or drained: the mark stays for the next owner, who begins slowly as well
};

class SlowStart {
 public:
  explicit SlowStart(const Settings& settings) : settings_(settings) {}

  // A lease begins. `slow`: the owner before let it end. `renewed`: this slow start had begun under the same token, before
  // the lease ended by the clock; other shards may have begun since then, so it keeps them back no more than before.
  void LeaseBegins(bool slow, bool renewed);
  // One shard of a relay at a time.
  [[nodiscard]] bool InFirstSteps() const { return first_steps_; }
  [[nodiscard]] bool LastFirstStepHasBegun() const { return steps_ >= settings_.first_steps; }
  [[nodiscard]] bool active() const { return active_; }
  [[nodiscard]] std::uint32_t rows() const { return active_ ? step_ : settings_.batch_events; }
  [[nodiscard]] bool HoldsSending() const { return mark_.Is(MarkState::kWanted) || mark_.Is(MarkState::kWriting); }
  [[nodiscard]] bool HoldsReading(std::uint32_t outstanding) const {
    return active_ && (outstanding > 0 || mark_.Is(MarkState::kWriting) || mark_.Is(MarkState::kClearing));
  }

  // A step was read. `nothing_waits`: the read brought no rows at all.
  void StepBegins(bool nothing_waits, std::uint32_t outstanding, std::size_t queued);
  // Nothing is outstanding or being read any more. `owner`: the shard is owned and worked on.
  void StepEnds(bool owner);
  // A stream is reset: the steps begin again. `clears`: the broker does not answer, and if the process ends now the event is
  // not to blame, so the mark is removed.
  void Break(bool clears);
  // The mark stays in the storage, for the next owner. One that is being written is answered yet.
  void LeaseIsLost() {
    if (!slot_.busy()) mark_.To(MarkState::kNone);
  }
  void Released() { mark_.To(MarkState::kNone); }

  // ---- the mark ----
  // True: the mark is to be written or, if Clears(), removed. `queued`: the event is still there.
  [[nodiscard]] bool TakeMark(Time now, bool queued);
  [[nodiscard]] bool Clears() const { return mark_.Is(MarkState::kClearing); }
  void MarkBegins();
  // The storage has answered; OUTBOX_LEASE_LOST counts as an answer. `owners`: that many in a row, with this one, have
  // marked the event. True: they are too many, and the event fails.
  [[nodiscard]] bool Marked(const MarkAnswer& answer, Time now, Backoff& backoff);
  [[nodiscard]] WriteSlot& slot() { return slot_; }
  [[nodiscard]] bool WantsToMark() const { return !mark_.Is(MarkState::kNone) && !mark_.Is(MarkState::kSet); }
  [[nodiscard]] Time NextCall(bool queued) const {
    const bool due = mark_.Is(MarkState::kClearing) || (mark_.Is(MarkState::kWanted) && queued);
    return due && !slot_.busy() ? slot_.not_before() : kForever;
  }

  [[nodiscard]] const StateMachine<MarkState>& mark() const { return mark_; }
  [[nodiscard]] std::string FindBrokenInvariant(std::uint32_t outstanding) const;

 private:
  friend struct PartProbe;  // of the tests

  void Begin();

  const Settings& settings_;
  bool active_ = false;
  std::uint32_t left_ = 0;   // events to go until the slow start is over
  std::uint32_t step_ = 1;   // the events of the next step
  std::uint32_t steps_ = 0;  // that have begun
  bool first_steps_ = false;
  StateMachine<MarkState> mark_;
  WriteSlot slot_;
};

}  // namespace outbox::engine
