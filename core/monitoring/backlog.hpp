// Estimates the backlog from the last query of the tables and from the events that this relay has outstanding now. The
// backlog is never reported as zero while rows wait: if waiting rows cannot be ruled out, no number is reported.
#pragma once

#include <cstdint>
#include <optional>

#include "runtime/observation.hpp"

namespace outbox::monitoring {

struct Backlog {
  std::optional<std::uint64_t> events;
  std::optional<double> oldest_age;  // seconds; 0 = no event waits; also absent if all waiting events are blocked
  std::optional<Statistics> stats;   // the result of the last query, unless it is too old
  std::optional<double> read_age;    // seconds since the last query, even if its result is too old
};

// The age, in seconds, that is reported if rows wait and the age of none of them is known. An age of 0 means that no
// row waits.
inline constexpr double kLeastAge = 0.001;

// After this many intervals without a query, the result of the last query is no longer used.
inline constexpr int kStaleIntervals = 3;

// Computes the backlog. `now` is a time of runtime::Now(), `wall` one of runtime::WallTime(), in microseconds since
// 1970.
[[nodiscard]] Backlog ShowBacklog(const runtime::BacklogObservation& looked, const runtime::Observation& seen,
                                  engine::Time now, engine::Time wall);

}  // namespace outbox::monitoring
