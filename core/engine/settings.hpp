// The limits and times of the engine, as plain numbers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "engine/mutant.hpp"
#include "outbox/plugin.h"

namespace outbox::engine {

using Time = std::int64_t;  // a point in time or a duration, in microseconds on the caller's clock
inline constexpr Time kForever = std::numeric_limits<Time>::max() / 4;
inline constexpr Time kMillisecond = 1'000;
inline constexpr Time kSecond = 1'000'000;
// The pause before the next removal of a row that came back after each removal. The pause is so long that in effect
// only an operator retries the removal. It is also much longer than any max_retry_backoff, so that the two cannot be
// confused.
inline constexpr Time kNotByItself = 365 * 24 * 3600 * kSecond;

struct FailurePolicy {
  std::uint32_t max_attempts = 10;
  std::int32_t on_exhausted = OUTBOX_BLOCK;  // or OUTBOX_DEAD
  Time retry_backoff = kSecond, max_retry_backoff = 300 * kSecond;
};

struct Settings {
  std::uint32_t batch_events = 1000;
  std::uint32_t window_events = 20'000;  // must be >= 2 * batch_events; otherwise reading never overlaps sending
  std::uint64_t window_bytes = std::uint64_t{32} << 20;
  // Maximum number of failed events that wait to be recorded without counting against the window. The payloads of these
  // events are not kept in memory.
  std::uint32_t max_awaiting_record = 0;
  // Nothing more is read while this many keys wait for a topic that is not known yet.
  std::uint32_t max_waiting_keys = 200'000;
  bool order_keys = true;
  std::vector<FailurePolicy> policies{{}};  // at least one; Incoming::policy is an index into it
  Time min_poll = kMillisecond, poll_interval = 250 * kMillisecond;
  Time delivery_timeout = 30 * kSecond;
  // The time before the end of the lease at which sending stops.
  Time lease_margin = 2 * kSecond;
  // Maximum time that an acknowledged event waits for further acknowledgements, so that several events are confirmed
  // together.
  Time confirm_gather = 5 * kMillisecond;
  // A lane without an acknowledgement for this long has to be proven again, because brokers forget idle producers.
  Time lane_idle = 3600 * kSecond;
  // The pause after a step of a rescan is this many times the time that the step took.
  Time rescan_rest = 9;
  // Upper limit of the pause after a step of a rescan: a step takes long if the machine was suspended or the database
  // was unreachable.
  Time max_rescan_rest = 5 * kSecond;
  // The pause after a write that records failures is the time that the write took. While new rows wait to be read, the
  // pause is record_rest times as long. max_record_rest is the upper limit of the pause.
  Time record_rest = 3, max_record_rest = kSecond;
  // A rescan begins at this interval even if no event is known to need one: an operator may have settled a blocked
  // event.
  Time rescan_interval = 60 * kSecond;
  // Interval between two attempts to remove the rows that could not be removed; kForever = no attempts.
  Time removal_interval = kForever;
  // The first and the longest pause after a failed call to the database or a failed connection to the broker.
  Time min_backoff = 100 * kMillisecond, max_backoff = 5 * kSecond;
  // After a record of a lane was refused, the events of the lane are sent as trials for min_suspicion. A further
  // refusal soon afterwards doubles the time, up to max_suspicion.
  Time min_suspicion = kSecond, max_suspicion = 60 * kSecond;
  // Maximum number of trials in flight: max_trials for events that have never failed, max_retrials for events that have
  // failed before. max_retrials is a tenth of max_trials, so that events which keep failing take no more than that
  // share of the broker's time.
  std::uint32_t max_trials = 50, max_retrials = 5;
  // Number of first steps of a slow start. Until they are over, no other shard of the relay begins a slow start; see
  // SlowStart.
  std::uint32_t first_steps = 4;
  // If this many consecutive owners have marked an event and then crashed, the next owner gives the event up.
  std::uint32_t most_owners = 3;
  std::uint64_t seed = 1;
#ifdef OUTBOX_MUTANTS
  Mutant mutant = Mutant::kNone;
#endif

  // Returns the number of events that are sent together in a backlog. At most this many events are confirmed together.
  // The number is half of the window, so that the broker stores one half while the database removes the other half.
  // Smaller groups need more requests, each of which costs the broker or the database time.
  [[nodiscard]] std::uint32_t events_at_once() const { return std::max(1U, window_events / 2); }
  // Returns the maximum number of events in the window that have failed before.
  [[nodiscard]] std::uint32_t max_retried() const { return std::max(1U, window_events / 10); }
  // Returns the maximum size of a batch, in bytes: two batches always fit into the window.
  [[nodiscard]] std::uint64_t batch_bytes() const { return window_bytes / 2; }
};

}  // namespace outbox::engine
