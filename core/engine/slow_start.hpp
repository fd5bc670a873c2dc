// The slow start of a shard after a lease that its owner let expire: the shard may contain a poison event, which
// crashes every relay that sends it. One event is read, sent and settled, then two, four and so on, until as many
// events are settled as the last owner can have had outstanding. The event that is sent alone in the first step is
// marked in the storage before it is sent. If the process crashes, the mark identifies the event, and the next owner
// can count how many owners the event has crashed (docs/design/decisions/0013).
// Owned by Engine. Thread: engine
//
// No other shard of the relay begins a slow start until the first few steps of this slow start are over (InFirstSteps).
// If the other shards waited only for the first step, a poison event in the second step of this shard would crash the
// relay while their first events are marked, and those events would be blamed. A few steps suffice: events that were
// delivered in the first steps no longer precede the poison event, so under one of the next owners the poison event is
// reached in the first steps of its shard.
//
// INVARIANT: no event is sent while the event of the first step is not marked (HoldsSending).
// INVARIANT: during a slow start a step is read only when no event of the previous step is outstanding.
// INVARIANT: a mark is written only for the first event of the queue, and only in a slow start.
// INVARIANT: the first steps are over when the last of them has begun and no event of it is outstanding any more.
#pragma once

#include <cstdint>
#include <string>

#include "engine/transitions.hpp"
#include "engine/write_queue.hpp"
#include "outbox/plugin.h"

namespace outbox::engine {

// The answer to a write of the poison mark, and the state of the shard when the answer comes.
struct MarkAnswer {
  outbox_code code = OUTBOX_OK;
  std::uint32_t owners = 0;  // number of consecutive owners that have marked the event, including this relay
  bool queued = false;       // true if the event is still in the queue
  // True if the lease is lost or the shard is being drained: the mark stays for the next owner, which starts slowly as
  // well.
  bool lease_ends = false;
};

class SlowStart {
 public:
  explicit SlowStart(const Settings& settings) : settings_(settings) {}

  // Adapts to a new lease. `slow` is true if the previous owner let its lease expire; the slow start then begins.
  // `renewed` is true if the slow start had already begun under the same token, before the lease expired by the clock.
  // Other shards may have begun after the expiry. So if the first steps were over, they do not begin again and do not
  // hold up other shards any more.
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

  // Notes that a step was read and returned `outstanding` events. `nothing_waits` is true if the read returned no rows
  // at all. `queued` is the number of events that wait to be sent in the main stream.
  void StepBegins(bool nothing_waits, std::uint32_t outstanding, std::size_t queued);
  // Ends the current step, because no event is outstanding. `owner` is true if the relay owns the shard and delivers
  // it.
  void StepEnds(bool owner);
  // Begins again with a step of one event, because a stream is reset. `clears` is true if the broker does not answer:
  // if the process ends during the outage, the marked event is not to blame, so its mark is removed.
  void Break(bool clears);
  // Notes that the lease is lost. The mark stays in the storage for the next owner. If the mark is being written, the
  // answer is still to come.
  void LeaseIsLost() {
    if (!slot_.busy()) mark_.To(MarkState::kNone);
  }
  void Released() { mark_.To(MarkState::kNone); }

  // ---- the mark ----
  // Returns true if the mark is to be written or, if Clears(), removed now. `queued` is true if the event is still in
  // the queue.
  [[nodiscard]] bool TakeMark(Time now, bool queued);
  [[nodiscard]] bool Clears() const { return mark_.Is(MarkState::kClearing); }
  void MarkBegins();
  // Takes the answer of the storage to a write of the mark. After OUTBOX_LEASE_LOST the write is not repeated. Returns
  // true if too many consecutive owners have marked the event; the event then fails.
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
  friend struct PartProbe;  // lets the tests set private fields

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
