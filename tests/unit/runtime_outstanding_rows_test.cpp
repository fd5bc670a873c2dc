#include <random>
#include <set>
#include <string>

#include "runtime/outstanding_rows.hpp"
#include "tests/catch.hpp"

using outbox::runtime::InHand;

TEST_CASE("ids in hand are those that were added and not removed") {
  std::mt19937 random(1);
  // Each kind crowds the table in its own way.
  const std::uint64_t step = GENERATE(1U, 2U, 10U, 64U, 4096U, 1'000'003U);
  InHand in_hand;
  std::set<std::string> expected;
  for (int i = 0; i < 20'000; ++i) {
    const std::string id = std::to_string((random() % 3000 + 1) * step);
    if (random() % 2 == 0) {
      in_hand.Add(id);
      expected.insert(id);
    } else {
      in_hand.Remove(id);
      expected.erase(id);
    }
    const std::string other = std::to_string((random() % 3000 + 1) * step);
    REQUIRE(in_hand.Has(other) == expected.contains(other));
  }
}

TEST_CASE("ids that are no plain numbers are kept as they are") {
  InHand in_hand;
  for (const std::string id : {"", "0", "07", "-7", "7 ", "abc", "123456789012345678", "1234567890123456789",
                               "12345678901234567890123", "9b2d1c54"}) {
    INFO(id);
    CHECK_FALSE(in_hand.Has(id));
    in_hand.Add(id);
    CHECK(in_hand.Has(id));
  }
  CHECK_FALSE(in_hand.Has("7"));
  in_hand.Remove("07");
  in_hand.Remove("123456789012345678");
  CHECK_FALSE(in_hand.Has("07"));
  CHECK_FALSE(in_hand.Has("123456789012345678"));
  CHECK(in_hand.Has("abc"));
}

TEST_CASE("an empty hand holds nothing") {
  InHand in_hand;
  CHECK_FALSE(in_hand.Has("7"));
  in_hand.Add("7");
  in_hand.Remove("7");
  CHECK_FALSE(in_hand.Has("7"));
}
