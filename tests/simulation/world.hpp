// The virtual time of a run. Everything in a simulated run happens through one queue, which is ordered by time and, at
// equal times, by the order of the calls of At().
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "engine/settings.hpp"
#include "tests/simulation/chances.hpp"

namespace outbox::simulation {

using engine::kForever;
using engine::kMillisecond;
using engine::kSecond;
using engine::Time;

class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed) {}

  std::uint64_t Below(std::uint64_t n) { return random_.Below(n); }
  bool Coin() { return random_.Below(2) == 0; }
  Time Between(Time low, Time high) { return random_.Between(low, high); }

  [[nodiscard]] Time now() const { return now_; }
  void At(Time when, std::function<void()> what) {
    std::uint32_t slot = 0;
    if (free_.empty()) {
      slot = static_cast<std::uint32_t>(tasks_.size());
      tasks_.push_back(std::move(what));
    } else {
      slot = free_.back();
      free_.pop_back();
      tasks_[slot] = std::move(what);
    }
    agenda_.push_back({std::max(when, now_), asked_++, slot});
    std::push_heap(agenda_.begin(), agenda_.end(), Later);
  }
  void After(Time delay, std::function<void()> what) { At(now_ + delay, std::move(what)); }

  bool Step() {
    if (agenda_.empty()) return false;
    std::pop_heap(agenda_.begin(), agenda_.end(), Later);
    const Entry next = agenda_.back();
    agenda_.pop_back();
    now_ = next.at;
    const auto task = std::exchange(tasks_[next.slot], nullptr);
    free_.push_back(next.slot);
    task();
    return true;
  }

 private:
  struct Entry {
    Time at;
    std::uint64_t asked;
    std::uint32_t slot;
  };
  static bool Later(const Entry& a, const Entry& b) { return a.at != b.at ? a.at > b.at : a.asked > b.asked; }

  Random random_;
  Time now_ = 1;
  std::uint64_t asked_ = 0;
  std::vector<Entry> agenda_;  // A heap whose first element is the next entry.
  std::vector<std::function<void()>> tasks_;
  std::vector<std::uint32_t> free_;
};

}  // namespace outbox::simulation
