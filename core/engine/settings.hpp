// The engine's limits, as plain numbers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "engine/mutant.hpp"
#include "outbox/plugin.h"

namespace outbox::engine {

using Time = std::int64_t;  // microseconds on the caller's clock
inline constexpr Time kForever = std::numeric_limits<Time>::max() / 4;
inline constexpr Time kMillisecond = 1'000;
inline constexpr Time kSecond = 1'000'000;
// The pause before the removal of a delivered row that something puts back: only an operator retries it. Much longer
// than max_retry_backoff can be, so that the two cannot be confused.
inline constexpr Time kNotByItself = 365 * 24 * 3600 * kSecond;

struct FailurePolicy {
  std::uint32_t max_attempts = 10;
  std::int32_t on_exhausted = OUTBOX_BLOCK;  // or OUTBOX_DEAD
  Time retry_backoff = kSecond, max_retry_backoff = 300 * kSecond;
};

struct Settings {
  std::uint32_t batch_events = 1000;
  std::uint32_t window_events = 20'000;  // >= 2 * batch_events, else reading never overlaps sending
  std::uint64_t window_bytes = std::uint64_t{32} << 20;
  // So many failed events may wait for their record beside the window, without their payload.
  std::uint32_t max_awaiting_record = 0;
  // While so many keys wait for what is not known of their topics, no more is read.
  std::uint32_t max_waiting_keys = 200'000;
  bool order_keys = true;
  std::vector<FailurePolicy> policies{{}};  // at least one; Incoming names them by index
  Time min_poll = kMillisecond, poll_interval = 250 * kMillisecond;
  Time delivery_timeout = 30 * kSecond;
  // Publishing stops so long before the lease ends.
  Time lease_margin = 2 * kSecond;
  // So long an acknowledged event waits for others to be confirmed with.
  Time confirm_gather = 5 * kMillisecond;
  // A lane without traffic for so long is proven anew; brokers forget idle producers.
  Time lane_idle = 3600 * kSecond;
  // Between two steps of a rescan lies this many times what the first of them took.
  Time rescan_rest = 9;
  // But no more than this: a step takes long where the machine slept or the database was out of reach.
  Time max_rescan_rest = 5 * kSecond;
  // Between two records of failures lies what the first of them took, or this many times that while new rows wait to be
  // read; but no more than the second number.
  Time record_rest = 3, max_record_rest = kSecond;
  // Even undisturbed, a rescan begins so often: an operator may have settled a blocked event.
  Time rescan_interval = 60 * kSecond;
  // So often the rows that the database did not let go are tried again; kForever = never.
  Time removal_interval = kForever;
  // After a failed call to the database or a failed connection to the broker.
  Time min_backoff = 100 * kMillisecond, max_backoff = 5 * kSecond;
  // The events of a lane in which a record was refused go as trials for at least this time; doubled if it happens again.
  Time min_suspicion = kSecond, max_suspicion = 60 * kSecond;
  // Trials without an answer at a time: of events that have never failed, and of those that have. The second number is a
  // tenth of the first, so that events which keep failing take no more than that share of the broker's time.
  std::uint32_t max_trials = 50, max_retrials = 5;
  // Of a slow start. Until they are over no other shard of the relay begins; see SlowStart.
  std::uint32_t first_steps = 4;
  // An event that so many owners in a row were about to send alone, and ended, is given up by the next.
  std::uint32_t most_owners = 3;
  std::uint64_t seed = 1;
#ifdef OUTBOX_MUTANTS
  Mutant mutant = Mutant::kNone;
#endif

  // In a backlog so many events are handed over together, and at most so many are confirmed together: half of the window, so
  // that the broker has one half to work on while the database removes the other. Both pay for each request.
  [[nodiscard]] std::uint32_t events_at_once() const { return std::max(1U, window_events / 2); }
  // Events that have failed before take at most this part of the window.
  [[nodiscard]] std::uint32_t max_retried() const { return std::max(1U, window_events / 10); }
  // Two batches always fit.
  [[nodiscard]] std::uint64_t batch_bytes() const { return window_bytes / 2; }
};

}  // namespace outbox::engine
