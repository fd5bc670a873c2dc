// Numbers that the application counts up per key: which were passed over, which came late, which came again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace outbox::consumer {

// Of one partition. Knows the last kKeys to 2 * kKeys keys and forgets those that were longest unseen; a key that was
// forgotten begins anew.
class Sequence {
 public:
  struct Finding {
    std::uint64_t missing = 0;
    bool late = false, repeated = false;
  };
  static constexpr std::size_t kKeys = 50'000;
  // Of one key, those passed over last, to be told from repeated ones when they come after all.
  static constexpr std::size_t kMissing = 16;

  Finding See(std::string_view key, std::int64_t number);

 private:
  struct Seen {
    std::int64_t last;
    std::vector<std::int64_t> missing;
  };
  using Keys = std::unordered_map<std::string, Seen>;

  Seen* Find(const std::string& key);

  Keys young_, old_;
};

}  // namespace outbox::consumer
