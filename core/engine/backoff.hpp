// Computes the pause after a failure of an event (retry_backoff, max_retry_backoff) or of a peer (min_backoff,
// max_backoff).
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/settings.hpp"

namespace outbox::engine {

// Computes pauses after failures. A pause is shortened at random, but the random numbers depend only on the seed and on
// the earlier calls, so a simulated run can be repeated.
// Owned by Engine. Thread: engine
class Backoff {
 public:
  explicit Backoff(std::uint64_t seed) : random_(seed) {}

  // Returns the pause after `failures` consecutive failures, in microseconds: `base`, doubled with each failure after
  // the first, up to `cap`. The result is then shortened at random by up to a quarter, so that several relays do not
  // retry at the same moments. REQUIRES: failures >= 1.
  [[nodiscard]] Time After(std::uint32_t failures, Time base, Time cap) {
    Time wait = base;
    for (std::uint32_t i = 1; i < failures && wait < cap; ++i) wait *= 2;
    wait = std::min(wait, cap);
    return wait - static_cast<Time>(Next() % static_cast<std::uint64_t>(wait / 4 + 1));
  }

 private:
  std::uint64_t Next() {  // SplitMix64
    random_ += 0x9e3779b97f4a7c15u;
    std::uint64_t x = random_;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  }

  std::uint64_t random_;
};

}  // namespace outbox::engine
