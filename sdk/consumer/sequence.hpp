// Checks the sequence numbers that the application increases for each key, and finds missing, late and repeated
// numbers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace outbox::consumer {

// The sequence numbers of one partition. The Partition owns the object, which remembers the last kKeys to 2 * kKeys
// keys and forgets the keys that have not occurred for the longest time. A key that was forgotten is treated as new.
//
// Thread: the thread of the partition.
class Sequence {
 public:
  // The result of checking a number. `missing` is how many numbers before it are missing. `late` is true if the number
  // had been missing, and `repeated` is true if it has occurred before.
  struct Finding {
    std::uint64_t missing = 0;
    bool late = false, repeated = false;
  };
  static constexpr std::size_t kKeys = 50'000;
  // How many missing numbers are remembered for each key; the oldest are forgotten first. A remembered number that
  // arrives later counts as late. Any other number that is not above the last number of the key counts as repeated.
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

  // young_ holds the keys that have occurred since the two maps were last exchanged, old_ those that have occurred only
  // before that.
  Keys young_, old_;
};

}  // namespace outbox::consumer
