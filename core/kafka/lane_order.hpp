// Sorts the records of one call of Publish() by their lanes.
#pragma once

#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

#include "publisher/publisher.hpp"

namespace outbox::kafka {

// librdkafka collects the records of a partition for a moment (linger.ms) after the first of them was handed over, and
// then sends them. If the records of a burst alternated between partitions, each request would contain only the records
// that were handed over in that moment, not all records of the burst for the partition. Sorting saves requests, and
// requests cause most of the work that records cost the broker.
// Owned by KafkaPublisher. Thread: engine
class LaneOrder {
 public:
  // Returns the same records sorted by lane. The records of a lane keep their order. The result is valid until the next
  // call. REQUIRES: the lanes of the records are below `lanes`.
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
  std::vector<std::size_t> ends_;  // for each lane, the index in sorted_ after its last record so far
};

}  // namespace outbox::kafka
