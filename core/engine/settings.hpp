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

struct FailurePolicy {
  std::uint32_t max_attempts = 10;
  std::int32_t on_exhausted = OUTBOX_BLOCK;  // or OUTBOX_DEAD
  Time retry_backoff = kSecond, max_retry_backoff = 300 * kSecond;
};

struct Settings {
  std::uint32_t batch_events = 1000;
  std::uint32_t window_events = 20'000;  // >= 2 * batch_events, else reading never overlaps sending
  std::uint64_t window_bytes = std::uint64_t{32} << 20;
  bool order_keys = true;
  // The storage marks reserved rows, so that events given up must be released.
  bool marks_rows = false;
  std::vector<FailurePolicy> policies{{}};  // at least one; Incoming names them by index
  Time min_poll = kMillisecond, poll_interval = 250 * kMillisecond;
  Time delivery_timeout = 30 * kSecond;
  // Publishing stops so long before the lease ends.
  Time lease_margin = 2 * kSecond;
  // So long an acknowledged event waits for others to be confirmed with.
  Time confirm_gather = 5 * kMillisecond;
  // A lane without traffic for so long is proven anew; brokers forget idle producers.
  Time lane_idle = 3600 * kSecond;
  // Even undisturbed, reading begins anew at the oldest row so often: an operator may have settled a blocked event.
  Time sweep_interval = 60 * kSecond;
  // After a failed call to the database or a failed connection to the broker.
  Time min_backoff = 100 * kMillisecond, max_backoff = 5 * kSecond;
  // An event that so many owners in a row were about to send alone, and ended, is given up by the next.
  std::uint32_t most_owners = 3;
  std::uint64_t seed = 1;
#ifdef OUTBOX_MUTANTS
  Mutant mutant = Mutant::kNone;
#endif

  // Handed over together in a backlog.
  [[nodiscard]] std::uint32_t records_at_once() const { return std::min(4 * batch_events, window_events / 4); }
  // Two batches always fit.
  [[nodiscard]] std::uint64_t batch_bytes() const { return window_bytes / 2; }
};

}  // namespace outbox::engine
