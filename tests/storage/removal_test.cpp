// Rows that the database did not let go, tried again: how many steps that takes.
#include "sql/removal.hpp"

#include "tests/catch.hpp"

namespace outbox::sql {
namespace {

using Ids = std::vector<long long>;

Ids IdsOf(RemovalSteps::Rows rows) {
  Ids ids;
  for (const DeliveredRow& row : rows) ids.push_back(row.id);
  return ids;
}

struct Database {
  std::vector<DeliveredRow> rows;
  std::vector<Ids> forgotten, postponed;
  bool has_time = true;

  explicit Database(long long count) {
    for (long long id = 1; id <= count; ++id) rows.push_back({id, "e"});
  }
  std::uint64_t Try(std::function<std::vector<std::uint8_t>(RemovalSteps::Rows)> remove) {
    return RemoveDelivered(
        rows, {.remove = std::move(remove),
               .forget = [this](RemovalSteps::Rows some) { forgotten.push_back(IdsOf(some)); },
               .postpone = [this](RemovalSteps::Rows some, const std::string&) { postponed.push_back(IdsOf(some)); },
               .has_time = [this] { return has_time; }});
  }
};

TEST_CASE("what has gone is forgotten in one step, and what is still there postponed in one", "[b98]") {
  Database db(6);
  CHECK(db.Try([](RemovalSteps::Rows) { return std::vector<std::uint8_t>{0, 1, 0, 1, 1, 0}; }) == 3);
  CHECK(db.forgotten == std::vector<Ids>{{1, 3, 6}});
  CHECK(db.postponed == std::vector<Ids>{{2, 4, 5}});
}

TEST_CASE("a refusal is narrowed down to its row, as far as the time allows", "[b101]") {
  Database db(8);
  const auto refuses_3 = [](RemovalSteps::Rows some) {
    for (const DeliveredRow& row : some)
      if (row.id == 3) throw Error(OUTBOX_REFUSED, "no");
    return std::vector<std::uint8_t>(some.size(), 0);
  };
  SECTION("time enough") {
    CHECK(db.Try(refuses_3) == 7);
    CHECK(db.postponed == std::vector<Ids>{{3}});
  }
  SECTION("no time") {
    db.has_time = false;
    CHECK(db.Try(refuses_3) == 0);
    CHECK(db.postponed.empty());
  }
}

}  // namespace
}  // namespace outbox::sql
