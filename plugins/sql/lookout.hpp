// When to look again at what may change while a relay runs, such as a policy or a view that hides rows.
#pragma once

#include <chrono>

namespace outbox::sql {

class Lookout {
 public:
  // True at first, and then when the last look is ten seconds old. Looked() says that there was one.
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
