// The slow start after a lease that its owner let expire: perhaps an event crashes every relay that sends it (a poison
// event). One event is read, sent and settled, then two, four and so on, until as many events are settled as the last
// owner can have had outstanding. The event that is sent alone in the first step is marked in the storage before it is
// sent. If the process crashes, the mark identifies the event, and the next owner can count how many owners it has
// crashed (docs/design/decisions/0013).
// Owned by Engine. Thread: engine
//
// No other shard of the relay begins a slow start until the first few steps of this one are over (InFirstSteps). If the
// others waited only for the first step, their marked events would be blamed for an event that crashes the relay in the
// second step of this shard. Events that the first steps have delivered do not come before the poison event any more,
// so under one of the next owners it is among the first steps of its own shard.
//
// INVARIANT: no event is sent while the event of the first step is not marked (HoldsSending).
// INVARIANT: during a slow start a step is read only when nothing of the last step is outstanding.
// INVARIANT: a mark is written only for the first event of the queue, and only in a slow start.
// INVARIANT: the first steps are over when nothing of the last of them is outstanding.
#pragma once

#include <cstdint>
#include <string>

#include "engine/transitions.hpp"
#include "engine/write_queue.hpp"
#include "outbox/plugin.h"

namespace outbox::engine {

// The answer to a write of the poison mark, and the state of the shard when it comes.
struct MarkAnswer {
  outbox_code code = OUTBOX_OK;
  std::uint32_t owners = 0;  // number of consecutive owners that have marked the event, including this one
  bool queued = false;       // the event is still in the queue
  // The lease is lost or is being drained: the mark stays for the next owner, which starts slowly as well.
  bool lease_ends = false;
};

class SlowStart {
 public:
  explicit SlowStart(const Settings& settings) : settings_(settings) {}

  // A lease begins. `slow` = the previous owner let its lease expire. `renewed` = this slow start had already begun
  // under the same token, before the lease expired by the clock. Other shards may have begun since then, so the first
  // steps do not begin again if they were over, and do not hold up other shards any more.
  void LeaseBegins(bool slow, bool renewed);
  // True during the first steps. At most one shard of a relay is in them at a time.
  [[nodiscard]] bool InFirstSteps() const { return first_steps_; }
  [[nodiscard]] bool LastFirstStepHasBegun() const { return steps_ >= settings_.first_steps; }
  [[nodiscard]] bool active() const { return active_; }
  [[nodiscard]] std::uint32_t rows() const { return active_ ? step_ : settings_.batch_events; }
  [[nodiscard]] bool HoldsSending() const { return mark_.Is(MarkState::kWanted) || mark_.Is(MarkState::kWriting); }
  [[nodiscard]] bool HoldsReading(std::uint32_t outstanding) const {
    return active_ && (outstanding > 0 || mark_.Is(MarkState::kWriting) || mark_.Is(MarkState::kClearing));
  }

  // A step was read, and brought `outstanding` events. `nothing_waits` = the read returned no rows at all. `queued` is
  // the number of events that wait to be sent in the main stream.
  void StepBegins(bool nothing_waits, std::uint32_t outstanding, std::size_t queued);
  // Called when nothing is outstanding. `owner` = the relay owns the shard and delivers it.
  void StepEnds(bool owner);
  // A stream is reset, so the steps begin again. `clears` = the broker does not answer: if the process ends now, the
  // event is not to blame, so its mark is removed.
  void Break(bool clears);
  // The lease is lost. The mark stays in the storage for the next owner; if it is being written, the answer is still to
  // come.
  void LeaseIsLost() {
    if (!slot_.busy()) mark_.To(MarkState::kNone);
  }
  void Released() { mark_.To(MarkState::kNone); }

  // ---- the mark ----
  // Returns true if the mark is to be written or, if Clears(), removed now. `queued` = the event is still in the queue.
  [[nodiscard]] bool TakeMark(Time now, bool queued);
  [[nodiscard]] bool Clears() const { return mark_.Is(MarkState::kClearing); }
  void MarkBegins();
  // Takes the answer of the storage; OUTBOX_LEASE_LOST counts as an answer. Returns true if too many consecutive owners
  // have marked the event, so that it fails.
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
  friend struct PartProbe;  // for the tests

  void Begin();

  const Settings& settings_;
  bool active_ = false;
  std::uint32_t left_ = 0;   // number of events that remain until the slow start is over
  std::uint32_t step_ = 1;   // number of events in the next step
  std::uint32_t steps_ = 0;  // number of steps that have begun
  bool first_steps_ = false;
  StateMachine<MarkState> mark_;
  WriteSlot slot_;
};

}  // namespace outbox::engine
