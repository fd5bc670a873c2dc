// What waits, as far as it is known: the last look at the tables, and what the relay has in hand by now. Never zero while
// rows wait: where that cannot be told, nothing is told.
#pragma once

#include <cstdint>
#include <optional>

#include "runtime/observation.hpp"

namespace outbox::monitoring {

struct Backlog {
  std::optional<std::uint64_t> events;
  std::optional<double> oldest_age;  // seconds; 0 = nothing waits, absent also if all that waits is blocked
  std::optional<Statistics> stats;   // the last look, unless it is too old
  std::optional<double> read_age;    // seconds, however old
};

// The age, in seconds, that is shown while rows wait and none of them has one that is known: 0 would say that none waits.
inline constexpr double kLeastAge = 0.001;

// After so many intervals without a look, the last one tells nothing any more.
inline constexpr int kStaleIntervals = 3;

// `now` is of the shell's clock, `wall` since 1970.
[[nodiscard]] Backlog ShowBacklog(const runtime::BacklogObservation& looked, const runtime::Observation& seen,
                                  engine::Time now, engine::Time wall);

}  // namespace outbox::monitoring
