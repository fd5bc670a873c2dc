// Decides when to retry the removal of rows that were recorded as delivered, because the obstacle may be gone.
// Owned by Engine. Thread: engine
#pragma once

#include <algorithm>

#include "engine/write_queue.hpp"

namespace outbox::engine {

class Removals {
 public:
  explicit Removals(const Settings& settings) : settings_(settings) {}

  void LeaseBegins(Time now) { next_ = now + settings_.removal_interval; }
  // Notes that a row was recorded as delivered, and that its removal is due `after` microseconds later. One second is
  // added, because the storage counts from a later moment than `now`.
  void Recorded(Time now, Time after) {
    last_due_ = now + after + kSecond;
    next_ = std::min(next_, last_due_);
  }
  [[nodiscard]] bool Take(Time now) const { return slot_.Ready(now) && now >= next_; }
  void Answered(Time now, bool supported) {
    slot_.End();
    next_ = now + settings_.removal_interval;
    if (last_due_ > now) next_ = std::min(next_, last_due_);
    if (!supported) next_ = kForever;
  }
  [[nodiscard]] WriteSlot& slot() { return slot_; }
  [[nodiscard]] Time NextCall() const { return slot_.busy() ? kForever : next_; }

 private:
  const Settings& settings_;
  WriteSlot slot_;
  Time next_ = kForever;
  Time last_due_ = 0;  // the time at which the removal of the rows that were recorded last is due
};

}  // namespace outbox::engine
