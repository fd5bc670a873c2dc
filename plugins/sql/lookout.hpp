// The interval at which a running relay repeats a check of something that may change, such as a policy or a view that
// hides rows.
#pragma once

#include <chrono>

namespace outbox::sql {

class Lookout {
 public:
  // Returns true if no check has been recorded yet, or if the last one was recorded at least ten seconds ago. Looked()
  // records a check.
  [[nodiscard]] bool Due() const { return !looked_ || Clock::now() - at_ >= kEvery; }
  void Looked() {
    looked_ = true;
    at_ = Clock::now();
  }
  void Forget() { looked_ = false; }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr auto kEvery = std::chrono::seconds(10);
  bool looked_ = false;
  Clock::time_point at_;
};

}  // namespace outbox::sql
