// Checks the numbers that the application increases for each key: finds numbers that are missing, late or repeated.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace outbox::consumer {

// The numbers of one partition, whose Partition owns this object. It remembers the last kKeys to 2 * kKeys keys, and
// forgets those that have not occurred for the longest time. A key that was forgotten is treated as new.
//
// Thread: that of the partition.
class Sequence {
 public:
  // The result of checking a number: how many numbers before it are missing; whether it was missing before, and so is
  // late; whether it has occurred before.
  struct Finding {
    std::uint64_t missing = 0;
    bool late = false, repeated = false;
  };
  static constexpr std::size_t kKeys = 50'000;
  // Number of missing numbers of a key that are remembered, the latest ones. If one of these arrives later, it counts
  // as late; any other number that is not above the last one counts as repeated.
  static constexpr std::size_t kMissing = 16;

  // Checks the next number of the key. For the first number of a key the finding is empty.
  Finding See(std::string_view key, std::int64_t number);

 private:
  struct Seen {
    std::int64_t last;
    std::vector<std::int64_t> missing;
  };
  using Keys = std::unordered_map<std::string, Seen>;

  Seen* Find(const std::string& key);

  // Keys that have occurred since the last exchange of the two maps, and those that have occurred only before it.
  Keys young_, old_;
};

}  // namespace outbox::consumer
