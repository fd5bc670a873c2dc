// The gap between attempts at an operation that fails. It doubles with each attempt, up to a limit.
#pragma once

#include <algorithm>
#include <chrono>

namespace outbox::kafka {

// Thread: one at a time; the owner serialises the calls.
class TryGap {
 public:
  using Clock = std::chrono::steady_clock;
  using Gap = std::chrono::milliseconds;

  explicit TryGap(Gap first = std::chrono::seconds(1), Gap longest = std::chrono::seconds(60))
      : first_(first), longest_(longest) {}

  [[nodiscard]] bool Due(Clock::time_point now) const { return now >= next_; }
  // Returns the gap between the next attempt and the one after it.
  [[nodiscard]] Gap gap() const { return gap_; }
  void Tried(Clock::time_point now) {
    next_ = now + gap_;
    gap_ = std::min(2 * gap_, longest_);
  }
  // Makes the next attempt due at once. The gap after that attempt does not change.
  void Hasten() { next_ = {}; }
  // Makes the next attempt due at once. The gap after that attempt is the first one again.
  void Begin() {
    gap_ = first_;
    next_ = {};
  }

 private:
  Gap first_, longest_;
  Gap gap_ = first_;
  Clock::time_point next_{};
};

}  // namespace outbox::kafka
