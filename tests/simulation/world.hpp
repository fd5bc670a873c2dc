// Seeded chance and virtual time: everything in a simulated run happens through one queue.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "engine/settings.hpp"

namespace outbox::simulation {

using engine::Time;

class World {
 public:
  explicit World(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 0x1234567u) {}

  std::uint64_t Random(std::uint64_t below) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return (state_ * 0x2545f4914f6cdd1du >> 16) % below;
  }
  bool Chance(double p) { return static_cast<double>(Random(1'000'000)) < p * 1e6; }
  Time Between(Time low, Time high) {
    return low + static_cast<Time>(Random(static_cast<std::uint64_t>(high - low + 1)));
  }

  [[nodiscard]] Time now() const { return now_; }
  void After(Time delay, std::function<void()> what) { agenda_.push({now_ + delay, order_++, std::move(what)}); }

  bool Step() {
    if (agenda_.empty()) return false;
    auto next = agenda_.top();
    agenda_.pop();
    now_ = next.at;
    next.what();
    return true;
  }

 private:
  struct Entry {
    Time at;
    std::uint64_t order;
    std::function<void()> what;
    bool operator<(const Entry& other) const { return std::tie(at, order) > std::tie(other.at, other.order); }
  };
  std::uint64_t state_;
  Time now_ = 1;
  std::uint64_t order_ = 0;
  std::priority_queue<Entry> agenda_;
};

}  // namespace outbox::simulation
