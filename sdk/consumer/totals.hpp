// The counters of a consumer, in a form that several threads can increment at once.
#pragma once

#include <atomic>

#include "outbox/consumer/settings.hpp"

namespace outbox::consumer {

struct Totals {
  using Count = std::atomic<std::uint64_t>;
  Count handled, retried, threw, rejected, unknown_type, missing_headers, skipped, dead_lettered, missing, late,
      repeated;

  // Returns the current values of the counters.
  [[nodiscard]] Counters Now() const {
    return {handled, retried,       threw,   rejected, unknown_type, missing_headers,
            skipped, dead_lettered, missing, late,     repeated};
  }
};

}  // namespace outbox::consumer
