// How many rows to look at for those that are wanted, where others are other shards', or wait.
#pragma once

#include <algorithm>
#include <cstdint>

namespace outbox::sql {

class Stretch {
 public:
  [[nodiscard]] std::int64_t For(std::int64_t wanted) const {
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(wanted) * for_one_));
  }
  // From a full page. Not from one to much more: rows that wait come in heaps.
  void Learn(std::int64_t looked_at, std::int64_t found) {
    const double now = static_cast<double>(looked_at) / static_cast<double>(std::max<std::int64_t>(found, 1));
    for_one_ = std::clamp(now, 1.0, std::min(2 * for_one_, kMost));
  }

 private:
  static constexpr double kMost = 20'000;
  double for_one_ = 1;
};

}  // namespace outbox::sql
