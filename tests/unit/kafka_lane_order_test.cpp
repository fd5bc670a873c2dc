// Tests the order in which records are passed to librdkafka.
#include "kafka/lane_order.hpp"

#include <algorithm>
#include <map>
#include <random>

#include "tests/catch.hpp"

namespace outbox::kafka {
namespace {

using publisher::Lane;
using publisher::Outgoing;

TEST_CASE("records are grouped by lane, and none overtakes another of its lane") {
  std::mt19937 random(7);
  LaneOrder order;
  for (const std::size_t lanes : {1U, 3U, 200U}) {
    for (const std::size_t count : {0U, 1U, 500U}) {
      publisher::PreparedBatch batches[2];
      std::vector<Outgoing> records;
      std::map<Lane, std::vector<std::uint32_t>> expected;
      for (std::uint32_t i = 0; i < count; ++i) {
        publisher::PreparedBatch& batch = batches[i % 2];
        const auto lane = static_cast<Lane>(random() % lanes);
        records.push_back({&batch, static_cast<std::uint32_t>(batch.events.size()), i});
        batch.events.push_back({.lane = lane});
        expected[lane].push_back(i);
      }
      CAPTURE(lanes, count);
      std::vector<Lane> seen;
      std::map<Lane, std::vector<std::uint32_t>> sent;
      for (const Outgoing& record : order.Of(records, lanes)) {
        if (seen.empty() || seen.back() != record.lane()) seen.push_back(record.lane());
        sent[record.lane()].push_back(record.event);
      }
      CHECK(sent == expected);
      CHECK(seen.size() == expected.size());  // The records of a lane are adjacent.
    }
  }
}

}  // namespace
}  // namespace outbox::kafka
