#include "storage/outstanding_rows.hpp"

#include <random>
#include <set>
#include <string>

#include "storage/owned_row_id.hpp"
#include "tests/catch.hpp"

using outbox::RowId;
using outbox::storage::OutstandingRows;
using outbox::storage::OwnedRowId;

TEST_CASE("outstanding numbers are those that were added and not removed") {
  std::mt19937 random(1);
  // Each step makes the numbers collide differently in the hash table. The numbers are negative, zero and positive.
  const std::int64_t step = GENERATE(1, 2, 10, 64, 4096, 1'000'003, std::int64_t{1} << 40);
  OutstandingRows outstanding;
  std::set<std::int64_t> expected;
  const auto draw = [&] { return (static_cast<std::int64_t>(random() % 3000) - 500) * step; };
  for (int i = 0; i < 20'000; ++i) {
    const std::int64_t id = draw();
    if (random() % 2 == 0) {
      REQUIRE(outstanding.Add(id) == expected.insert(id).second);
    } else {
      outstanding.Remove(id);
      expected.erase(id);
    }
    const std::int64_t other = draw();
    REQUIRE(outstanding.Has(other) == expected.contains(other));
  }
}

TEST_CASE("outstanding bytes are compared byte for byte, and never with a number") {
  OutstandingRows outstanding;
  for (const std::string id :
       {"0", "07", "-7", "7 ", "abc", "1234567890123456789", "12345678901234567890123", "9b2d1c54"}) {
    INFO(id);
    CHECK_FALSE(outstanding.Has(id));
    CHECK(outstanding.Add(id));
    CHECK_FALSE(outstanding.Add(id));
    CHECK(outstanding.Has(id));
  }
  CHECK_FALSE(outstanding.Has("7"));
  CHECK_FALSE(outstanding.Has(0));
  outstanding.Remove("07");
  CHECK_FALSE(outstanding.Has("07"));
  CHECK(outstanding.Has("abc"));
}

TEST_CASE("nothing is outstanding at first") {
  OutstandingRows outstanding;
  for (const std::int64_t id : {INT64_MIN, std::int64_t{-1}, std::int64_t{0}, std::int64_t{7}, INT64_MAX}) {
    CHECK_FALSE(outstanding.Has(id));
    CHECK(outstanding.Add(id));
    CHECK(outstanding.Has(id));
    outstanding.Remove(id);
    CHECK_FALSE(outstanding.Has(id));
  }
}

TEST_CASE("a row id comes back from its text, in the form of its store") {
  CHECK(*OwnedRowId::Parse("-7", true) == RowId(-7));
  CHECK(OwnedRowId::Parse("-7", true)->View().ToText() == "-7");
  CHECK(*OwnedRowId::Parse("-7", false) == RowId("-7"));
  for (const char* const none : {"", "7 ", "abc", "9223372036854775808"}) CHECK_FALSE(OwnedRowId::Parse(none, true));
  CHECK_FALSE(OwnedRowId::Parse("", false));
  CHECK_FALSE(RowId(0) == RowId(""));
}
