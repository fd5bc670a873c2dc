// Tests how many steps the relay needs to remove rows that the database has refused to remove before.
#include <functional>
#include <sstream>

#include "sql/confirmation.hpp"
#include "tests/catch.hpp"

namespace outbox::sql {
namespace {

using Ids = std::vector<long long>;

// Returns the row ids that a statement names.
Ids Named(const std::string& sql) {
  const std::string_view before = "row_id in (";
  std::istringstream list(sql.substr(sql.find(before) + before.size()));
  Ids ids;
  char separator = ',';
  for (long long id = 0; separator == ',' && list >> id; list >> separator) ids.push_back(id);
  return ids;
}

// A simulated database whose record of delivered rows contains `count` rows that are due for removal.
class Database final : public Session {
 public:
  explicit Database(long long count) {
    for (long long id = 1; id <= count; ++id) due.push_back({std::to_string(id), "e"});
  }

  Rows Run(const Statement& statement) override {
    CHECK(statement.sql.starts_with("\nselect"));
    return due;
  }
  std::vector<Rows> RunTogether(const std::vector<Statement>& statements) override {
    REQUIRE(statements.size() == 1);
    const std::string& sql = statements[0].sql;
    const Ids ids = Named(sql);
    const bool forgets = sql.starts_with("delete");
    CHECK(statements[0].values.size() == ids.size() + (forgets ? 0 : 2));
    (forgets ? forgotten : postponed).push_back(ids);
    last = statements[0];
    return std::vector<Rows>(1);
  }
  void Script(const std::string&) override {}
  [[nodiscard]] bool InTransaction() const override { return false; }
  [[nodiscard]] bool PastHalf() const override { return !has_time; }

  Rows due;
  std::vector<Ids> forgotten, postponed;
  Statement last;
  bool has_time = true;
};

using DeleteRows = std::function<std::vector<std::uint8_t>(std::span<const OutboxRow>)>;

class Removal final : public Confirmation {
 public:
  Removal(Database& db, DeleteRows rows) : Confirmation(db, kTables, kDialect), delete_(std::move(rows)) {}
  std::uint64_t Try() { return RemoveDelivered({nullptr, 0, 0}, Millis(1000)); }

 private:
  Kept Delete(Rows rows, For what) override {
    CHECK(what == For::kRelaysRemoval);
    return delete_(rows);
  }

  static inline const Tables kTables{"outbox_event"};
  static inline const Dialect kDialect{};
  const DeleteRows delete_;
};

TEST_CASE("removed rows are forgotten in one step, and rows that are still there are postponed in one", "[b98]") {
  Database db(6);
  CHECK(Removal(db, [](auto) { return std::vector<std::uint8_t>{0, 1, 0, 1, 1, 0}; }).Try() == 3);
  CHECK(db.forgotten == std::vector<Ids>{{1, 3, 6}});
  CHECK(db.postponed == std::vector<Ids>{{2, 4, 5}});
}

TEST_CASE("each row is compared with its own event id", "[b94]") {
  Database db(2);
  db.due[1][1] = "f";
  CHECK(Removal(db, [](auto) { return std::vector<std::uint8_t>{0, 0}; }).Try() == 2);
  CHECK(db.last.sql.find("event_id = case row_id when 1 then :e0 when 2 then :e1 end") != std::string::npos);
  CHECK(db.last.values == std::vector<Value>{"e", "f"});
}

TEST_CASE("a refusal is narrowed down to its row while there is time", "[b101]") {
  Database db(8);
  Removal refuses_3(db, [](std::span<const OutboxRow> some) {
    for (const OutboxRow& row : some)
      if (row.id == 3) throw Error(OUTBOX_REFUSED, "no");
    return std::vector<std::uint8_t>(some.size(), 0);
  });
  SECTION("time enough") {
    CHECK(refuses_3.Try() == 7);
    CHECK(db.postponed == std::vector<Ids>{{3}});
  }
  SECTION("no time") {
    db.has_time = false;
    CHECK(refuses_3.Try() == 0);
    CHECK(db.postponed.empty());
  }
}

}  // namespace
}  // namespace outbox::sql
