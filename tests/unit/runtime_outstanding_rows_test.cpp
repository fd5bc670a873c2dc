#include <random>
#include <set>
#include <string>

#include "runtime/outstanding_rows.hpp"
#include "tests/catch.hpp"

using outbox::runtime::OutstandingRows;

TEST_CASE("outstanding ids are those that were added and not removed") {
  std::mt19937 random(1);
  // Each step between ids crowds the hash table in its own way.
  const std::uint64_t step = GENERATE(1U, 2U, 10U, 64U, 4096U, 1'000'003U);
  OutstandingRows outstanding;
  std::set<std::string> expected;
  for (int i = 0; i < 20'000; ++i) {
    const std::string id = std::to_string((random() % 3000 + 1) * step);
    if (random() % 2 == 0) {
      outstanding.Add(id);
      expected.insert(id);
    } else {
      outstanding.Remove(id);
      expected.erase(id);
    }
    const std::string other = std::to_string((random() % 3000 + 1) * step);
    REQUIRE(outstanding.Has(other) == expected.contains(other));
  }
}

TEST_CASE("ids that are not plain numbers are kept unchanged") {
  OutstandingRows outstanding;
  for (const std::string id : {"", "0", "07", "-7", "7 ", "abc", "123456789012345678", "1234567890123456789",
                               "12345678901234567890123", "9b2d1c54"}) {
    INFO(id);
    CHECK_FALSE(outstanding.Has(id));
    outstanding.Add(id);
    CHECK(outstanding.Has(id));
  }
  CHECK_FALSE(outstanding.Has("7"));
  outstanding.Remove("07");
  outstanding.Remove("123456789012345678");
  CHECK_FALSE(outstanding.Has("07"));
  CHECK_FALSE(outstanding.Has("123456789012345678"));
  CHECK(outstanding.Has("abc"));
}

TEST_CASE("an empty set contains nothing") {
  OutstandingRows outstanding;
  CHECK_FALSE(outstanding.Has("7"));
  outstanding.Add("7");
  outstanding.Remove("7");
  CHECK_FALSE(outstanding.Has("7"));
}
