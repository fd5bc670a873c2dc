// Tests of the capture of an application's table in SQLite: which rows the trigger copies, when it copies them, and
// what check reports.
#include <sqlite3.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <random>

#include "application.hpp"
#include "driver.hpp"
#include "sqlite_file.hpp"
#include "tests/catch.hpp"

namespace outbox::testing {
namespace {

using nlohmann::json;
using Cells = std::vector<std::optional<std::string>>;
using Relay = Driver<sqlite::Adapter, sqlite::Config>;

const json kUsual = {{"id", "id"}, {"key", "k"}, {"payload", "body"}};
constexpr const char* kBox = "create table box (id integer, k varchar(300), body text, kind text default 'made')";
constexpr const char* kFine = "nothing was thrown";

// The role of the application that writes to the captured table, on a connection of its own.
class Application : public SqlSession {
 public:
  explicit Application(const File& file) { REQUIRE(sqlite3_open(file.path.c_str(), &db_) == SQLITE_OK); }
  ~Application() override { sqlite3_close(db_); }

  double Number(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    REQUIRE(sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr) == SQLITE_OK);
    REQUIRE(sqlite3_step(statement) == SQLITE_ROW);
    const double number = sqlite3_column_double(statement, 0);
    sqlite3_finalize(statement);
    return number;
  }

 private:
  std::string Execute(const std::string& sql, std::string& value) override {
    const auto take = [](void* to, int, char** values, char**) {
      *static_cast<std::string*>(to) = values[0] == nullptr ? "NULL" : values[0];
      return 0;
    };
    char* text = nullptr;
    sqlite3_exec(db_, sql.c_str(), take, &value, &text);
    const std::string message = text == nullptr ? "" : text;
    sqlite3_free(text);
    return message;
  }
  sqlite3* db_ = nullptr;
};

std::shared_ptr<sqlite::Config> Capturing(const File& file, const json& columns, const json& record,
                                          const std::string& table = "box") {
  return file.Config(", \"table\": \"" + table + R"(", "capture": "trigger", "columns": )" + columns.dump() +
                     ", \"record_columns\": " + record.dump());
}

// A relay that captures the table `box`. `create` is the SQL that creates the table.
struct Captured {
  explicit Captured(const std::string& create = kBox, const json& columns = kUsual, const json& record = {"kind"})
      : app(file), config(((void)app(create), Capturing(file, columns, record))), relay(config) {
    relay.writing().ApplySchema({});
    relay.Heartbeat();
  }
  // Returns the captured rows, as "id:key:body".
  std::string Read() {
    std::string rows;
    for (const Taken& row : relay.Reserve())
      rows += (rows.empty() ? "" : " ") + row.columns.at(0).value_or("-") + ":" + row.key.value_or("-") + ":" +
              row.payload.value_or("-");
    return rows;
  }
  std::string Verified() {
    return Caught([&] { relay.writing().VerifySource(); }).what();
  }
  File file;
  Application app;
  std::shared_ptr<sqlite::Config> config;
  Relay relay;
};

TEST_CASE("inserted rows are read in the order of their insertion, whatever happens to them later",
          "[sqlite][capture]") {
  const std::string end = GENERATE("", " without rowid");
  Captured box("create table box (id integer primary key, k text, body text, kind text)" + end);
  box.app("pragma recursive_triggers = " + std::string(GENERATE("on", "off")));
  box.app("insert into box (id, k, body) values (1, 'a', 'one'), (2, 'b', 'two'), (3, 'a', 'three')");
  box.app(
      "begin; insert into box (id, k, body) values (4, 'a', 'four'); update box set body = 'other'; delete from box;"
      " commit");
  box.app("begin; insert into box (id, k, body) values (5, 'a', 'gone'); rollback");
  box.app(
      "begin; savepoint s; insert into box (id) values (6); rollback to s; insert into box (id) values (7); commit");
  CHECK(box.Read() == "1:a:one 2:b:two 3:a:three 4:a:four 7:-:-");
  box.app(
      "insert into box (id, k) values (8, 'c'); insert or replace into box (id, k) values (8, 'replaced'), (9, 'c')");
  box.app("insert or ignore into box (id, k) values (9, 'dup'), (10, 'd')");
  box.app("insert into box (id, k) values (10, 'dup'), (11, 'e') on conflict (id) do update set body = 'updated'");
  box.app("create temporary table box_capture (id, topic, event_type, aggregate_id, payload)");
  box.app(
      "insert into box (id, k) select 30 - value, 'k' from (with recursive n (value) as (select 1 union all select"
      " value + 1 from n where value < 5) select value from n) order by value");
  CHECK(box.Read() == "8:c:- 8:replaced:- 9:c:- 10:d:- 11:e:- 29:k:- 28:k:- 27:k:- 26:k:- 25:k:-");
  // A temporary table that hides the captured table is another table, so its rows are not captured.
  box.app("create temporary table box (id, k, body, kind); insert into box values (99, 'x', 'y', 'z')");
  CHECK(box.Read() == "");
}

TEST_CASE("last_insert_rowid() is the row's id, and a trigger of the application stays", "[sqlite][capture]") {
  Captured box(
      "create table box (id integer primary key, k text, body text); create table log (n);"
      "create trigger one after insert on box begin insert into log values (new.id); end",
      kUsual, json::array());
  box.app("insert into box_capture (topic, event_type) values ('', ''); delete from box_capture");
  box.app("insert into box (k, body) values ('a', 'one')");
  CHECK(box.app("select last_insert_rowid()") == "1");
  CHECK(box.app("select count(*) from log") == "1");
  CHECK(box.Read() == "1:a:one");
}

// Returns column names that look like placeholders, parameters and ends of literals.
const std::vector<std::string>& Names() {
  static const std::vector<std::string> kNames{"ID",      "topic", "{event}", "{copies}",    "[c]",   ":name",
                                               "it's \"", "``",    "?1",      "[columns]",   "event", "ä€",
                                               "[name]",  "--",    "/*",      "; drop table"};
  return kNames;
}
std::string Quoted(const std::string& name) {
  std::string quoted = "\"";
  for (const char c : name) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + '"';
}

constexpr std::size_t kRows = 200;

// Checks a captured value. `expected` is NULL, the letter H followed by the bytes of the value in hexadecimal digits,
// or the letter R for a floating-point number, whose value is `real`.
void CheckValue(const std::optional<std::string>& value, const std::string& expected, double real) {
  if (expected == "NULL") {
    CHECK(value == std::nullopt);
  } else if (expected == "R") {
    char room[32];
    const std::string shortest(room, std::to_chars(room, std::end(room), real).ptr);
    CHECK(value.value_or("") == (shortest == "-inf" ? "-Infinity" : shortest));
  } else {
    std::string hex;
    for (const char c : value.value_or("")) {
      char two[3];
      std::snprintf(two, sizeof two, "%02X", static_cast<unsigned char>(c));
      hex += two;
    }
    CHECK("H" + hex == expected);
  }
}

TEST_CASE("any value in any column is captured, under any name", "[sqlite][capture]") {
  static const std::vector<std::string> kTypes{"integer", "text", "blob", "real", "", "decimal(10,2)", "json", "date"};
  static const std::vector<std::string> kValues{"null",
                                                "1",
                                                "-9223372036854775808",
                                                "9223372036854775807",
                                                "0.1",
                                                "1e300",
                                                "5e-324",
                                                "-9e999",
                                                "1.0",
                                                "'12'",
                                                "'x'",
                                                "''",
                                                "'1e3'",
                                                "x''",
                                                "x'00ff'",
                                                "x'4142'",
                                                "'ä€'",
                                                "printf('%.*c', 300, 'k')",
                                                "'a' || char(0) || 'b'",
                                                "'{\"a\": 1}'",
                                                "1.7976931348623157e308",
                                                "'2026-02-31'"};
  File file;
  Application app(file);
  const std::string strict = GENERATE("", "generated");
  std::string create = "create table every (n integer primary key, k, body";
  json record = json::array();
  for (std::size_t i = 0; i < Names().size(); ++i) {
    create += ", " + Quoted(Names()[i]) + " " + kTypes[i % kTypes.size()];
    record.push_back(Names()[i]);
  }
  if (!strict.empty()) {
    create += ", twice as (n * 2) stored, thrice as (n * 3) virtual";
    record.push_back("twice");
    record.push_back("thrice");
  }
  app(create + ")");
  const auto config = Capturing(file, {{"id", "n"}, {"key", "k"}, {"payload", "body"}}, record, "every");
  Relay relay(config);
  if (GENERATE(false, true))
    app(sqlite::Adapter::PrintSchema(*config, {}));
  else
    relay.writing().ApplySchema({});
  CHECK(relay.writing().PlanSchema({}).empty());
  CHECK(Caught([&] { relay.writing().VerifySource(); }).what() == std::string(kFine));
  for (const Finding& finding : relay.writing().CheckSchema()) CHECK((finding.note ? "" : finding.what) == "");
  relay.Heartbeat();
  const auto columns = relay.writing().DescribeColumns();
  REQUIRE(columns.size() == record.size() + 3);
  for (std::size_t i = 0; i < 8; ++i) {
    static const std::vector<std::int32_t> kKinds{OUTBOX_COLUMN_INTEGER, OUTBOX_COLUMN_TEXT,  OUTBOX_COLUMN_BYTES,
                                                  OUTBOX_COLUMN_DOUBLE,  OUTBOX_COLUMN_OTHER, OUTBOX_COLUMN_OTHER,
                                                  OUTBOX_COLUMN_JSON,    OUTBOX_COLUMN_OTHER};
    INFO(Names()[i]);
    CHECK(columns[i + 3].kind == kKinds[i]);
    CHECK(sqlite3_stricmp(columns[i + 3].type.c_str(), kTypes[i].c_str()) == 0);
  }

  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const auto any = [&] { return kValues[random() % kValues.size()]; };
  for (std::size_t row = 1; row <= kRows; ++row) {
    std::string names, values;
    for (const std::string& name : Names()) {
      names += ", " + Quoted(name);
      values += ", " + any();
    }
    app("insert into every (n, k, body" + names + ") values (" + std::to_string(row) + ", 'k', " + any() + values +
        ")");
  }
  const auto check = [&](const Cells& cells) {
    REQUIRE(cells.size() == record.size() + 3);
    CHECK(cells[2] == std::nullopt);
    for (std::size_t i = 0; i < record.size(); ++i) {
      const std::string name = Quoted(record[i].get<std::string>());
      INFO("row " << *cells[0] << " " << name);
      const std::string from = " from every where n = " + *cells[0];
      CheckValue(cells[i + 3],
                 app("select case typeof(" + name + ") when 'null' then null when 'real' then 'R' else 'H' || hex(" +
                     name + ") end" + from),
                 app.Number("select " + name + from));
    }
  };
  const auto taken = relay.Reserve();
  REQUIRE(taken.size() == kRows);
  for (const Taken& row : taken) {
    check(row.columns);
    const std::string body =
        app("select hex(body) from every where typeof(body) in ('text', 'blob') and n = " + *row.columns[0]);
    if (!body.empty() && body != "NULL") CHECK(row.payload.value_or("").size() == body.size() / 2);
  }
  relay.Fail(8, Disposition::kBlock);
  relay.Fail(9, Disposition::kDead);
  for (const auto& listed : {std::pair{OUTBOX_FROM_FAILED, "8"}, std::pair{OUTBOX_FROM_DEAD, "9"}}) {
    Query query;
    query.from = static_cast<std::uint32_t>(listed.first);
    query.contents = true;
    query.max = 10;
    std::size_t found = 0;
    relay.writing().List(query, [&](const Record& one) {
      if (one.event.row_id.ToText() != listed.second) return true;
      ++found;
      Cells cells;
      for (const outbox_bytes& column : one.event.columns)
        cells.push_back(column.data ? std::optional<std::string>(View(column)) : std::nullopt);
      check(cells);
      return true;
    });
    CHECK(found == 1);
  }
  const outbox_row_id raw = Raw(RowId(9));
  CHECK(relay.writing().Requeue({&raw, 1}) == 1);
  app("delete from every_capture where id <= 200; delete from every_capture_retry");
  relay.outstanding.clear();
  const auto requeued = relay.Reserve();
  REQUIRE(requeued.size() == 1);
  CHECK(requeued[0].columns[0] == "9");
  check(requeued[0].columns);
}

TEST_CASE("keys of any type become text, and the partition decides the order before the key", "[sqlite][capture]") {
  Captured box("create table box (id, k, body, part)",
               {{"id", "id"}, {"key", "k"}, {"payload", "body"}, {"partition", "part"}}, json::array());
  box.app(
      "insert into box values (1, x'00ff', x'ff', null), (2, 7, 1.5, null), (3, 0.5, 7, null),"
      " (4, printf('%.*c', 5000, 'k'), '', null), (5, 'a', null, 3), (6, null, null, null)");
  const auto taken = box.relay.Reserve();
  REQUIRE(taken.size() == 6);
  CHECK(taken[0].key == "00FF");
  CHECK(taken[0].columns[1] == std::string("\0\xff", 2));
  CHECK(taken[0].payload == "\xff");
  CHECK(taken[1].key == "7");
  CHECK(taken[1].payload == "1.5");
  CHECK(taken[2].key == "0.5");
  CHECK(taken[3].key->size() == 5000);
  CHECK(taken[4].key == "3");
  CHECK(taken[5].key == std::nullopt);
}

TEST_CASE("columns that are added to the mapping and removed from it", "[sqlite][capture]") {
  Captured box;
  box.app("insert into box values (1, 'a', 'one', 'made')");
  Relay second(Capturing(box.file, {{"key", "id"}, {"payload", "body"}}, {"k"}));
  CHECK(Caught([&] { second.writing().VerifySource(); }).what() != std::string(kFine));
  CHECK(second.writing().PlanSchema({}) == std::vector<std::string>{"replace trigger box_capture on box"});
  second.writing().ApplySchema({});
  CHECK(second.writing().PlanSchema({}).empty());
  box.app("insert into box values (2, 'b', 'two', 'made')");
  box.app("alter table box add added");
  Relay last(Capturing(box.file, kUsual, {"kind", "added"}));
  CHECK(last.writing().PlanSchema({}) == std::vector<std::string>{"add column box_capture.added",
                                                                  "add column box_capture_dead.added",
                                                                  "replace trigger box_capture on box"});
  last.writing().ApplySchema({});
  box.app("insert into box values (3, 'c', 'three', 'made', 4.5)");
  last.Heartbeat();
  const auto taken = last.Reserve();
  REQUIRE(taken.size() == 3);
  CHECK(taken[0].columns == Cells{"1", "a", std::nullopt, "made", std::nullopt});
  CHECK(taken[1].columns == Cells{"2", "b", std::nullopt, std::nullopt, std::nullopt});
  CHECK(taken[2].columns == Cells{"3", "c", std::nullopt, "made", "4.5"});
}

// SQL that causes a defect, a part of the text that check and a relay report about the defect, and whether migrate
// corrects the defect.
struct Broken {
  const char *sql, *what;
  bool by_migrate;
};

TEST_CASE("a defect of the captured table or its trigger is found", "[sqlite][capture]") {
  Captured box;
  const auto findings = [&] {
    std::vector<Finding> found = box.relay.writing().CheckSchema();
    std::erase_if(found, [](const Finding& finding) { return finding.note; });
    return found;
  };
  CHECK(findings().empty());
  CHECK(box.Verified() == kFine);
  // The capture remains valid if the table or a column is renamed and renamed back.
  box.app(
      "alter table box rename to other; alter table other rename to box; alter table box rename column kind to x;"
      " alter table box rename column x to kind");
  CHECK(box.Verified() == kFine);
  const auto broken = GENERATE(values<Broken>({
      {"drop trigger box_capture", "has no trigger", true},
      {"alter table box rename to box_old; create table box (id, k, body, kind)",
       "the trigger box_capture is on box_old", true},
      {"alter table box rename to box_old", "is missing", false},
      {"drop trigger box_capture; create trigger box_capture after insert on box begin select 1; end",
       "another list of columns", true},
      {"alter table box rename column kind to sort; alter table box add kind", "another list of columns", true},
      {"alter table box rename column kind to sort", "has no column \"kind\"; the table has: id, k, body, sort", false},
      {"drop table box; create view box as select 1 as id, '' as k, '' as body, '' as kind", "is a view", false},
  }));
  box.app(broken.sql);
  INFO(broken.sql);
  CHECK(Has(findings(), broken.what));
  CHECK(box.Verified().find(broken.what) != std::string::npos);
  const Error error = Caught([&] { box.relay.writing().ApplySchema({}); });
  CHECK((error.code == OUTBOX_OK) == broken.by_migrate);
  if (!broken.by_migrate) return;
  box.app("insert into box (id, k, body) values (1, 'a', 'one')");
  CHECK(findings().empty());
  CHECK(box.Verified() == kFine);
  CHECK(box.Read() == "1:a:one");
}

TEST_CASE("an insert that cannot be copied is refused, and the fix of check ends the capture", "[sqlite][capture]") {
  Captured box;
  CHECK(Caught([&] { box.relay.Emit({Simple("k")}); }).code == OUTBOX_BAD_CONFIG);
  box.app("pragma legacy_alter_table = on; alter table box_capture rename to elsewhere");
  CHECK(box.app.Try("insert into box (id) values (1)").find("box_capture") != std::string::npos);
  CHECK(box.app.Try("insert or ignore into box (id) values (1)").find("box_capture") != std::string::npos);
  CHECK(box.app("select count(*) from box") == "0");
  box.app("alter table elsewhere rename to box_capture");
  for (const Finding& finding : box.relay.writing().CheckSchema())
    if (finding.note && finding.fix.starts_with("drop trigger")) box.app(finding.fix);
  box.app("insert into box (id) values (1)");
  CHECK(box.app("select count(*) from box_capture") == "0");
}

}  // namespace
}  // namespace outbox::testing
