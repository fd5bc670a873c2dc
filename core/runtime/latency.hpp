// Counts, in fixed buckets, the times from the creation of events to the broker's acknowledgement. Thread: one.
#pragma once

#include <array>
#include <cstdint>

#include "engine/settings.hpp"

namespace outbox::runtime {

struct Latency {
  // The upper bounds of the buckets, in microseconds.
  static constexpr std::array<engine::Time, 18> kBounds = {
      1'000,     2'500,     5'000,     10'000,     25'000,     50'000,     100'000,     250'000,       500'000,
      1'000'000, 2'500'000, 5'000'000, 10'000'000, 30'000'000, 60'000'000, 300'000'000, 1'800'000'000, 7'200'000'000};

  // Adds one event. A negative latency counts as 0, because the clocks of the database and of this machine may differ.
  void Add(engine::Time took) {
    if (took < 0) took = 0;
    std::size_t i = 0;
    while (i < kBounds.size() && took > kBounds[i]) ++i;
    ++counts[i];
    sum += took;
  }

  Latency& operator+=(const Latency& other) {
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
    sum += other.sum;
    return *this;
  }

  // The number of events in each bucket, not cumulative; the last bucket has no upper bound.
  std::array<std::uint64_t, kBounds.size() + 1> counts{};
  engine::Time sum = 0;  // sum of all latencies, in microseconds
};

}  // namespace outbox::runtime
