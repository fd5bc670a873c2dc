// Records that are handed over together, one lane after the other.
#pragma once

#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

#include "publisher/publisher.hpp"

namespace outbox::kafka {

// librdkafka sends the records of a partition a moment after the first of them was handed over (linger.ms). Of a burst that
// alternates between partitions each request would hold what came in that moment, not what the partition has in the burst, and
// requests are most of what records cost the broker.
class LaneOrder {
 public:
  // The same records, those of each lane in the order of before. REQUIRES: their lanes are below `lanes`. Good until the next
  // call.
  [[nodiscard]] std::span<const publisher::Outgoing> Of(std::span<const publisher::Outgoing> records,
                                                        std::size_t lanes) {
    ends_.assign(lanes + 1, 0);
    for (const publisher::Outgoing& record : records) ++ends_[record.lane() + 1];
    std::partial_sum(ends_.begin(), ends_.end(), ends_.begin());
    sorted_.resize(records.size());
    for (const publisher::Outgoing& record : records) sorted_[ends_[record.lane()]++] = record;
    return sorted_;
  }

 private:
  std::vector<publisher::Outgoing> sorted_;
  std::vector<std::size_t> ends_;  // by lane: of what is in sorted_ already
};

}  // namespace outbox::kafka
