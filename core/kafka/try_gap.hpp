// The time between attempts at something that fails: it doubles from attempt to attempt, up to a limit.
#pragma once

#include <algorithm>
#include <chrono>

namespace outbox::kafka {

class TryGap {
 public:
  using Clock = std::chrono::steady_clock;
  using Gap = std::chrono::milliseconds;

  explicit TryGap(Gap first = std::chrono::seconds(1), Gap longest = std::chrono::seconds(60))
      : first_(first), longest_(longest) {}

  [[nodiscard]] bool Due(Clock::time_point now) const { return now >= next_; }
  // From the next attempt to the one after it.
  [[nodiscard]] Gap gap() const { return gap_; }
  void Tried(Clock::time_point now) {
    next_ = now + gap_;
    gap_ = std::min(2 * gap_, longest_);
  }
  // The next attempt is due at once; the gap behind it is as long as it would have been.
  void Hasten() { next_ = {}; }
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
