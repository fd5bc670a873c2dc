// Estimates how many rows or ids a read must scan to find a wanted number of rows. Rows of other shards, rows that wait
// for a retry, and ids without a row may lie between the wanted rows.
#pragma once

#include <algorithm>
#include <cstdint>

namespace outbox::sql {

class ScanEstimate {
 public:
  [[nodiscard]] std::int64_t For(std::int64_t wanted, std::int64_t most) const {
    return std::clamp(static_cast<std::int64_t>(static_cast<double>(wanted) * for_one_), std::int64_t{1}, most);
  }
  // Adjusts the estimate to the result of a scan, which found `found` wanted rows among `looked` rows or ids. One
  // adjustment at most doubles the estimate, because waiting rows are clustered.
  void Learn(std::int64_t looked, std::int64_t found) {
    const double now = static_cast<double>(looked) / static_cast<double>(std::max<std::int64_t>(found, 1));
    for_one_ = std::clamp(now, 1.0, std::min(2 * for_one_, kMost));
  }

 private:
  static constexpr double kMost = 20'000;
  double for_one_ = 1;
};

}  // namespace outbox::sql
