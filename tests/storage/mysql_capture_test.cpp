// Tests of the capture of an application's table in MySQL and MariaDB: which rows the trigger copies, when it copies
// them, and what check reports.
#include <nlohmann/json.hpp>
#include <random>

#include "server.hpp"

namespace outbox::testing {
namespace {

using nlohmann::json;
using Cells = std::vector<std::optional<std::string>>;

const json kUsual = {{"id", "id"}, {"key", "k"}, {"payload", "body"}};
constexpr const char* kBox =
    "create table box (id integer, k varchar(300), body text, kind varchar(10) default 'made')";
constexpr const char* kFine = "nothing was thrown";

std::shared_ptr<mysql::Config> Capturing(const json& columns, const json& record_columns = json::array(),
                                         const std::string& table = "box", const json& instead = json::object()) {
  json options = {{"table", table}, {"capture", "trigger"}, {"columns", columns}, {"record_columns", record_columns}};
  options.update(instead);
  return Configured(options);
}

// A relay that captures the table `box`. `create` is the SQL that creates the table.
struct Captured : Fresh {
  explicit Captured(const std::string& create = kBox, const json& columns = kUsual,
                    const json& record_columns = {"kind"})
      : config(((void)app(create), Capturing(columns, record_columns))), relay(config) {
    relay.writing().ApplySchema({});
    relay.Heartbeat();
  }
  // Returns the captured rows, as "id:key:body".
  std::string Read(std::uint32_t mode = OUTBOX_READ_ON) {
    std::string rows;
    for (const Taken& row : relay.Read(1000, 64 << 20, mode))
      rows += (rows.empty() ? "" : " ") + row.columns.at(0).value_or("-") + ":" + row.key.value_or("-") + ":" +
              row.payload.value_or("-");
    return rows;
  }
  std::string Verified() {
    return Caught([&] { relay.writing().VerifySource(); }).what();
  }
  std::shared_ptr<mysql::Config> config;
  Relay relay;
};

TEST_CASE("inserted rows are read in the order of their insertion, whatever happens to them later",
          "[mysql][capture]") {
  Captured box;
  box.app("insert into box values (1, 'a', 'one', 'x'), (2, 'b', 'two', 'x'), (3, 'a', 'three', 'x')");
  box.app(
      "begin; insert into box (id, k, body) values (4, 'a', 'four'); update box set body = 'other'; delete from box;"
      " commit");
  box.app("begin; insert into box (id, k, body) values (5, 'a', 'gone'); rollback");
  box.app(
      "begin; savepoint s; insert into box (id) values (6); rollback to s;"
      " insert into box (id, k, body) values (7, 'b', 'seven'); commit; truncate box");
  CHECK(box.Read() == "1:a:one 2:b:two 3:a:three 4:a:four 7:b:seven");
  box.relay.Confirm({1, 2, 3, 4});

  box.app("delete from box_capture; alter table box add primary key (id); insert into box (id, k) values (8, 'c')");
  box.app("insert into box (id, k) values (8, 'dup'), (9, 'c') on duplicate key update body = 'updated'");
  box.app("insert ignore into box (id, k) values (9, 'again'), (10, null)");
  box.app("replace into box (id, k) values (8, 'replaced')");
  box.app("insert into box (id, k) select 100 - g, 'k' from " + Database::Numbers(20) + " n order by g");
  std::string many;
  for (int i = 1; i <= 20; ++i) many += " " + std::to_string(100 - i) + ":k:-";
  box.relay.outstanding.clear();
  // A REPLACE is a DELETE followed by an INSERT.
  CHECK(box.Read() == "8:c:- 9:c:- 10:-:- 8:replaced:-" + many);
}

TEST_CASE("a trigger of the application stays, and LAST_INSERT_ID() is the row's id", "[mysql][capture]") {
  Captured box(
      "create table box (id integer auto_increment primary key, k text, body text);"
      "create table log (n integer);"
      "create trigger one before insert on box for each row set new.body = concat(new.body, '!');"
      "create trigger two after insert on box for each row insert into log values (new.id)",
      kUsual, json::array());
  box.app("alter table box_capture auto_increment = 1000");
  box.app("insert into box (k, body) values ('a', 'one'), ('b', 'two')");
  CHECK(box.app("select last_insert_id()") == "1");
  CHECK(box.app("select count(*) from log") == "2");
  CHECK(box.Read() == "1:a:one! 2:b:two!");
  CHECK(box.Verified() == kFine);
}

// A column of the table `every`: its type, values as SQL, and the expected result of each value. Some of the values can
// be inserted only while sql_mode is empty.
struct Typed {
  const char* type;
  std::vector<std::pair<const char*, std::optional<std::string>>> values;
  std::int32_t kind;
  std::int32_t scale = -1;
};
const std::vector<Typed>& AllTypes() {
  static const std::string kLong(300, 'x');
  static const std::vector<Typed> kTypes{
      {"tinyint(1)", {{"1", "1"}, {"-128", "-128"}, {"0", "0"}}, OUTBOX_COLUMN_INTEGER},
      {"int(6) zerofill", {{"42", "42"}, {"0", "0"}}, OUTBOX_COLUMN_INTEGER},
      {"bigint", {{"-9223372036854775808", "-9223372036854775808"}}, OUTBOX_COLUMN_INTEGER},
      {"bigint unsigned", {{"18446744073709551615", "18446744073709551615"}}, OUTBOX_COLUMN_INTEGER},
      {"decimal(65,30)",
       {{"-99999999999999999999999999999999999.999999999999999999999999999999",
         "-99999999999999999999999999999999999.999999999999999999999999999999"},
        {"1.5", "1.500000000000000000000000000000"}},
       OUTBOX_COLUMN_DECIMAL,
       30},
      {"decimal(8,2) unsigned zerofill", {{"7.5", "7.50"}}, OUTBOX_COLUMN_DECIMAL, 2},
      {"float", {{"0.1", "0.1"}, {"3.4028234e38", "3.4028235e+38"}, {"16777217", "16777216"}}, OUTBOX_COLUMN_FLOAT},
      {"float(7,3)", {{"1.5", "1.5"}}, OUTBOX_COLUMN_FLOAT},
      {"double",
       {{"0.1", "0.1"}, {"1e308", "1e308"}, {"5e-324", "5e-324"}, {"1/3e0", "0.3333333333333333"}},
       OUTBOX_COLUMN_DOUBLE},
      {"bit(1)", {{"1", "true"}, {"0", "false"}}, OUTBOX_COLUMN_BOOLEAN},
      {"bit(64)", {{"18446744073709551615", "18446744073709551615"}}, OUTBOX_COLUMN_INTEGER},
      {"year", {{"0", "0"}, {"2155", "2155"}}, OUTBOX_COLUMN_INTEGER},
      {"date",
       {{"'1969-12-31'", "-1"},
        {"'9999-12-31'", "2932896"},
        {"'0000-00-00'", std::nullopt},
        {"'2026-00-10'", std::nullopt}},
       OUTBOX_COLUMN_DATE},
      {"date not null default '2026-01-01'", {{"'0000-00-00'", "0"}}, OUTBOX_COLUMN_DATE},
      {"datetime",
       {{"'1969-12-31 23:59:59'", "-1000000"}, {"'2040-01-01'", "2208988800000000"}, {"'0000-00-00'", std::nullopt}},
       OUTBOX_COLUMN_TIMESTAMP,
       0},
      {"datetime(6)", {{"'9999-12-31 23:59:59.999999'", "253402300799999999"}}, OUTBOX_COLUMN_TIMESTAMP, 6},
      {"timestamp null",
       {{"'2038-01-19 03:14:07'", "2147483647000000"}, {"'1970-01-01 00:00:01'", "1000000"}, {"0", std::nullopt}},
       OUTBOX_COLUMN_INSTANT,
       0},
      {"timestamp(3) null", {{"'2026-01-02 03:04:05.678'", "1767323045678000"}}, OUTBOX_COLUMN_INSTANT, 3},
      {"timestamp(6) not null default current_timestamp(6)", {{"'0000-00-00'", "0"}}, OUTBOX_COLUMN_INSTANT, 6},
      {"time(3)", {{"'-838:59:59'", "-838:59:59.000"}}, OUTBOX_COLUMN_OTHER},
      {"enum('a', '€', '')", {{"'€'", "€"}, {"'nope'", ""}}, OUTBOX_COLUMN_TEXT},
      {"set('x', 'y')", {{"'y,x'", "x,y"}, {"''", ""}}, OUTBOX_COLUMN_TEXT},
      {"char(5)", {{"'ab  '", "ab"}}, OUTBOX_COLUMN_TEXT},
      {"varchar(300)", {{"repeat('x', 300)", kLong}, {"'a  '", "a  "}, {"'😀\\\\\\'\"'", "😀\\'\""}}, OUTBOX_COLUMN_TEXT},
      {"varchar(50) character set latin1", {{"'é€'", "é€"}, {"x'81'", "\xC2\x81"}}, OUTBOX_COLUMN_TEXT},
      {"varchar(50) character set greek", {{"'αβγ'", "αβγ"}, {"_greek x'd2'", "?"}}, OUTBOX_COLUMN_TEXT},
      {"varchar(50) character set utf16", {{"'é😀'", "é😀"}}, OUTBOX_COLUMN_TEXT},
      {"longtext character set sjis", {{"'ｱ'", "ｱ"}}, OUTBOX_COLUMN_TEXT},
      {"binary(4)", {{"x'ff00'", std::string("\xff\0\0\0", 4)}}, OUTBOX_COLUMN_BYTES},
      {"varbinary(20)", {{"x'00ff27'", std::string("\0\xff'", 3)}, {"''", ""}}, OUTBOX_COLUMN_BYTES},
      {"longblob", {{"x'c328'", "\xc3("}}, OUTBOX_COLUMN_BYTES},
      {"point", {{"point(0, 0)", std::string("\0\0\0\0\1\1\0\0\0", 9) + std::string(16, '\0')}}, OUTBOX_COLUMN_BYTES},
      {"integer generated always as (k0 * 2) stored", {{nullptr, "2"}}, OUTBOX_COLUMN_INTEGER},
      {"integer generated always as (k0 * 3) virtual", {{nullptr, "3"}}, OUTBOX_COLUMN_INTEGER},
  };
  return kTypes;
}

// Returns the name of column `i`. Many names look like placeholders, parameters or ends of literals.
std::string NameOf(std::size_t i) {
  static const std::vector<std::string> kNames{"ID",
                                               "topic",
                                               "Attempts",
                                               "{event}",
                                               "{copies}",
                                               "[captured]",
                                               "[nulls]",
                                               ":name",
                                               "a::b:c",
                                               "it's \\ \"",
                                               "`",
                                               "``a",
                                               "; drop",
                                               "%s",
                                               "--",
                                               "/*",
                                               "\xC3\xA4\xE2\x82\xAC",
                                               "created_at",
                                               "$1",
                                               "new",
                                               "old",
                                               "[only]",
                                               "event_id",
                                               "select",
                                               "E'\\x27",
                                               "#",
                                               "row_id",
                                               "[name]",
                                               "x y",
                                               "[columns]"};
  return i < kNames.size() ? kNames[i] : "c" + std::to_string(i);
}
std::string Quoted(const std::string& name) {
  std::string quoted = "`";
  for (const char c : name) quoted.append(c == '`' ? 2 : 1, c);
  return quoted + '`';
}

constexpr std::size_t kRows = 60;

// Returns the value of column `i` in row `row`, as SQL, and the expected result.
std::pair<std::string, std::optional<std::string>> ValueOf(std::size_t i, std::size_t row, std::mt19937& random) {
  const Typed& type = AllTypes()[i];
  const bool nullable = std::string(type.type).find("not null") == std::string::npos;
  if (type.values[0].first == nullptr)
    return {"", std::to_string(std::stoll(*type.values[0].second) * static_cast<long long>(row))};
  if (nullable && random() % 4 == 0) return {"null", std::nullopt};
  const auto& value = type.values[random() % type.values.size()];
  return {value.first, value.second};
}

void CheckColumns(const Cells& columns, const Cells& expected) {
  // The first three columns are id, key and payload. The payload column has no value, because the payload is a separate
  // field of the event.
  REQUIRE(columns.size() == expected.size() + 3);
  CHECK(columns[2] == std::nullopt);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO(AllTypes()[i].type << " in " << NameOf(i));
    CHECK(columns[i + 3].value_or("NULL") == expected[i].value_or("NULL"));
  }
}

TEST_CASE("every type is captured, under any name, whatever the session's settings", "[mysql][capture]") {
  Fresh fresh;
  fresh.app("set session sql_mode = ''");
  std::string create = "create table every (k0 integer, body longblob, k varbinary(300)", names;
  json record = json::array();
  for (std::size_t i = 0; i < AllTypes().size(); ++i) {
    create += ", " + Quoted(NameOf(i)) + " " + AllTypes()[i].type;
    record.push_back(NameOf(i));
    if (AllTypes()[i].values[0].first != nullptr) names += ", " + Quoted(NameOf(i));
  }
  fresh.app(create + ") character set utf8mb4");
  const auto config = Capturing({{"id", "k0"}, {"key", "k"}, {"payload", "body"}}, record, "every");
  const bool printed = GENERATE(false, true);
  Relay relay(config);
  if (printed)
    Database::RunScript(fresh.app, mysql::Adapter::PrintSchema(*config, {}));
  else
    relay.writing().ApplySchema({});
  CHECK(relay.writing().PlanSchema({}).empty());
  CHECK(Caught([&] { relay.writing().VerifySource(); }).what() == std::string(kFine));
  for (const Finding& finding : relay.writing().CheckSchema()) CHECK((finding.note ? "" : finding.what) == "");
  relay.Heartbeat();

  const auto columns = relay.writing().DescribeColumns();
  REQUIRE(columns.size() == AllTypes().size() + 3);
  for (std::size_t i = 0; i < AllTypes().size(); ++i) {
    INFO(AllTypes()[i].type << " in " << NameOf(i));
    CHECK(columns[i + 3].name == NameOf(i));
    CHECK(columns[i + 3].kind == AllTypes()[i].kind);
    CHECK(columns[i + 3].scale == AllTypes()[i].scale);
  }

  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  std::vector<Cells> expected(1);
  std::string rows;
  for (std::size_t row = 1; row <= kRows; ++row) {
    Cells& cells = expected.emplace_back();
    rows += (row == 1 ? "(" : ", (") + std::to_string(row) + ", x'ff', x'" + std::string(600, 'f') + "'";
    for (std::size_t i = 0; i < AllTypes().size(); ++i) {
      const auto [value, cell] = ValueOf(i, row, random);
      if (!value.empty()) rows += ", " + value;
      cells.push_back(cell);
    }
    rows += ")";
  }
  // The rows are written in a session that uses UTC. They are copied in a session with another time zone, and with SQL
  // modes under which a copy could lose data without an error.
  fresh.app("set time_zone = '+00:00'; create table made like every; insert into made (k0, body, k" + names +
            ") values " + rows);
  fresh.app(
      "set time_zone = '+05:45', sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,"
      "HIGH_NOT_PRECEDENCE,PIPES_AS_CONCAT'");
  const std::string type = GENERATE("insert", "insert ignore");
  fresh.app(type + " into every (k0, body, k" + names + ") select k0, body, k" + names + " from made order by k0");
  fresh.app("set sql_mode = ''");

  const auto taken = relay.Reserve();
  REQUIRE(taken.size() == kRows);
  for (std::size_t i = 0; i < taken.size(); ++i) {
    INFO("row " << i);
    CHECK(taken[i].key == std::string(600, 'F'));
    CHECK(taken[i].payload == "\xff");
    REQUIRE(taken[i].columns.at(0) == std::to_string(i + 1));
    CheckColumns(taken[i].columns, expected.at(i + 1));
  }

  // All other ways to read the events must return the same columns: small batches, a rescan, a retry, the lists of
  // failed events and of dead letters, and a read after a requeue.
  relay.outstanding.clear();
  std::size_t read = 0;
  for (bool more = true; more; more = relay.more) {
    for (const Taken& row : relay.Reserve(5, 20'000, read == 0)) CheckColumns(row.columns, expected.at(++read));
  }
  CHECK(read == kRows);
  relay.outstanding.erase(20);
  const auto rescanned = relay.Rescan();
  REQUIRE(!rescanned.empty());
  CheckColumns(rescanned.back().columns, expected.at(static_cast<std::size_t>(rescanned.back().id)));
  relay.FailAll({7}, Disposition::kRetry, Millis(0));
  relay.FailAll({8}, Disposition::kBlock);
  relay.Fail(9, Disposition::kDead);
  relay.writing().MakeRetriesDue();
  const auto again = relay.Reserve();
  REQUIRE(again.size() == 1);
  CheckColumns(again[0].columns, expected.at(7));
  for (const auto& listed : {std::pair{OUTBOX_FROM_FAILED, "8"}, std::pair{OUTBOX_FROM_DEAD, "9"}}) {
    const std::string row = listed.second;
    Query query;
    query.from = static_cast<std::uint32_t>(listed.first);
    query.contents = true;
    query.max = 10;
    std::size_t found = 0;
    relay.writing().List(query, [&](const Record& one) {
      if (one.event.row_id.ToText() != row) return true;
      ++found;
      Cells cells;
      for (const outbox_bytes& column : one.event.columns)
        cells.push_back(column.data ? std::optional<std::string>(View(column)) : std::nullopt);
      CheckColumns(cells, expected.at(static_cast<std::size_t>(std::stoul(row))));
      CHECK(one.event.payload == "\xff");
      return true;
    });
    CHECK(found == 1);
  }
  CHECK(Requeue(relay, 9) == 1);
  relay.outstanding.clear();
  fresh.app("delete from every_capture where id <= " + std::to_string(kRows) + "; delete from every_capture_retry");
  const auto requeued = relay.Reserve();
  REQUIRE(!requeued.empty());
  CheckColumns(requeued.back().columns, expected.at(9));
}

TEST_CASE("keys and payloads of other types become text, and the partition decides the order before the key",
          "[mysql][capture]") {
  const auto [type, value, key, payload] = GENERATE(table<const char*, const char*, const char*, const char*>(
      {{"timestamp(3) null", "'2026-01-02 03:04:05.5'", "2026-01-01 22:04:05.5", "2026-01-01 22:04:05.5"},
       {"blob", "x'01ff'", "01FF", "\x01\xff"},
       {"json", "'{\"b\":1,\"a\":[1.0]}'", "", ""},
       {"double", "0.1", "0.1", "0.1"},
       {"int zerofill", "7", "7", "7"},
       {"varchar(20) character set latin1", "'é'", "é", "é"},
       {"varchar(20) character set greek", "x'e1d2'", "\xC3\xA1\xC3\x92", "α?"},
       {"char(4)", "'a'", "a", "a"}}));
  Captured box(std::string("create table box (id integer, k ") + type + ", body " + type + ", part integer)",
               {{"id", "id"}, {"key", "k"}, {"payload", "body"}, {"partition", "part"}}, json::array());
  box.app(std::string("set time_zone = '+05:00', sql_mode = ''; insert into box values (1, ") + value + ", " + value +
          ", null), (2, null, null, 7), (3, null, null, null)");
  const auto taken = box.relay.Reserve();
  REQUIRE(taken.size() == 3);
  // For JSON, the expected text is the text that `select` returns.
  const std::string json_text = std::string(type) == "json" ? box.app("select body from box where id = 1") : "";
  // MySQL and MariaDB write different numbers of zeros in fractional seconds.
  CHECK(taken[0].key.value_or("").starts_with(json_text.empty() ? key : json_text));
  CHECK(taken[0].payload.value_or("").starts_with(json_text.empty() ? payload : json_text));
  CHECK(taken[1].key == "7");
  CHECK(taken[1].payload == std::nullopt);
  CHECK(taken[2].key == std::nullopt);
  box.relay.Fail(taken[0].id, Disposition::kDead);
  CHECK(Requeue(box.relay, taken[0].id) == 1);
  const auto again = box.relay.Reserve();
  REQUIRE(again.size() == 1);
  CHECK(again[0].payload == taken[0].payload);
  CHECK(again[0].key == taken[0].key);
}

// No insert fails after columns of the captured table were made wider or got other character sets.
TEST_CASE("an altered source", "[mysql][capture]") {
  Captured box(
      "create table box (id tinyint, k varchar(5) character set latin1, body varchar(5), d date,"
      " e enum('a'), n decimal(4,1), part varchar(9) character set greek)",
      kUsual, {"d", "e", "n", "part"});
  box.app(
      "alter table box modify id bigint unsigned, modify k longtext character set utf8mb4, modify body longtext,"
      " modify d datetime(6), modify e enum('a', 'b'), modify n decimal(65,30)");
  box.app(
      "insert into box values (18446744073709551615, repeat('😀', 300), repeat('b', 70000),"
      " '2026-01-02 03:04:05.6', 'b', 1e30, 'α')");
  box.relay.Reconnect();
  const auto taken = box.relay.Reserve();
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].key->size() == 1200);
  CHECK(taken[0].payload->size() == 70'000);
  CHECK(taken[0].columns == Cells{"18446744073709551615", taken[0].key, std::nullopt, "1767323045600000", "b",
                                  "1000000000000000000000000000000.000000000000000000000000000000", "α"});
  CHECK(box.Verified() == kFine);

  // check detects a change to another kind of type, and the fix that it prints corrects the capture.
  box.app("delete from box; alter table box modify part varchar(9) character set utf8mb4, modify k varbinary(300)");
  CHECK(box.Verified() != kFine);
  for (const Finding& finding : box.relay.writing().CheckSchema())
    if (finding.fix.starts_with("alter table")) box.app(finding.fix.substr(0, finding.fix.find(" -- ")));
  box.relay.writing().ApplySchema({});
  CHECK(box.Verified() == kFine);
  box.app("insert into box (id, k, part) values (2, x'ff', '😀')");
  box.relay.Reconnect();
  const auto more = box.relay.Reserve();
  REQUIRE(more.size() == 1);
  CHECK(more[0].columns[1] == "\xff");
  CHECK(more[0].columns[6] == "😀");
}

TEST_CASE("columns that are added to the mapping and removed from it", "[mysql][capture]") {
  Captured box;
  box.app("insert into box values (1, 'a', 'one', 'made')");
  Relay second(Capturing({{"key", "id"}, {"payload", "body"}}, {"k"}));
  CHECK(Caught([&] { second.writing().VerifySource(); }).what() != std::string(kFine));
  const auto plan = second.writing().PlanSchema({});
  CHECK(plan == std::vector<std::string>{"replace procedure box_capture_source", "replace procedure box_capture_right",
                                         "replace trigger box_capture on box"});
  second.writing().ApplySchema({});
  CHECK(second.writing().PlanSchema({}).empty());
  box.app("insert into box values (2, 'b', 'two', 'made')");
  CHECK(box.app("select group_concat(concat_ws(',', id, aggregate_id, source_id, k, kind, payload) order by id"
                " separator ' ') from box_capture") == "1,a,1,a,made,one 2,2,2,b,two");
  box.app("alter table box add added datetime default '2026-01-01'");
  Relay last(Capturing(kUsual, {"kind", "added"}));
  CHECK(last.writing().PlanSchema({}).size() == 5);
  last.writing().ApplySchema({});
  box.app("insert into box (id, k, body) values (3, 'c', 'three')");
  last.Heartbeat();
  const auto taken = last.Reserve();
  REQUIRE(taken.size() == 3);
  CHECK(taken[0].columns == Cells{"1", "a", std::nullopt, "made", std::nullopt});
  CHECK(taken[2].columns == Cells{"3", "c", std::nullopt, "made", "1767225600000000"});
}

// SQL that causes a defect, a part of the text that check reports about the defect, whether a running relay reports the
// defect, too, and whether migrate corrects the defect.
struct Broken {
  const char *sql, *what;
  bool by_relay, by_migrate;
};

TEST_CASE("a defect of the captured table or its trigger is found", "[mysql][capture]") {
  Captured box;
  const auto findings = [&] {
    std::vector<Finding> found = box.relay.writing().CheckSchema();
    std::erase_if(found, [](const Finding& finding) { return finding.note; });
    return found;
  };
  CHECK(findings().empty());
  CHECK(box.Verified() == kFine);
  const auto broken = GENERATE(values<Broken>({
      {"drop trigger box_capture", "has no trigger", true, true},
      {"create table _box_gho like box; rename table box to _box_del, _box_gho to box",
       "the trigger box_capture is on _box_del", true, true},
      {"rename table box to box_old", "is missing", true, false},
      {"drop trigger box_capture; create trigger box_capture after insert on box for each row set @x = 1",
       "another list of columns", true, true},
      {"set session sql_mode = 'ANSI_QUOTES'; drop trigger box_capture; create trigger box_capture after insert on box"
       " for each row set @x = 1",
       "another list of columns", true, true},
      {"alter table box change column kind sort varchar(10)",
       "has no column \"kind\"; the table has: id, k, body, sort", true, false},
      {"alter table box_capture modify kind longblob", "box_capture.kind is longblob, expected longtext", true, false},
      {"alter table box_capture modify aggregate_id varchar(255)", "aggregate_id is varchar, expected longtext", false,
       false},
      {"alter table box_capture drop column kind", "box_capture.kind is missing", false, true},
      {"drop procedure box_capture_source", "procedure `box_capture_source`", false, true},
      {"alter table box engine = MyISAM", "which has no transactions", false, false},
      {"drop table box; create view box as select 1 as id, '' as k, '' as body, '' as kind", "is a view", true, false},
  }));
  box.app(broken.sql);
  const auto found = findings();
  INFO(broken.sql);
  std::string all;
  for (const Finding& finding : found) all += finding.what + " | " + finding.fix + "\n";
  INFO(all);
  CHECK(Has(found, broken.what));
  if (broken.by_relay) CHECK(box.Verified().find(broken.what) != std::string::npos);
  if (!broken.by_migrate) return;
  box.relay.writing().ApplySchema({});
  box.app("insert into box (id, k, body) values (1, 'a', 'one')");
  CHECK(findings().empty());
  CHECK(box.Verified() == kFine);
  CHECK(box.Read() == "1:a:one");
}

TEST_CASE("the owner of the trigger is missing or lacks the right to insert", "[mysql][capture]") {
  Fresh fresh;
  const std::string database = Server().at("database");
  fresh.app(std::string(kBox) +
            "; drop user if exists maker, clerk, mover; create user maker identified by 'm';"
            " create user clerk identified by 'm'; create user mover identified by 'm';"
            " grant insert on `" +
            database + "`.box to clerk");
  // These are the rights that migrate needs according to the guide.
  fresh.app(
      "grant create, alter, drop, index, select, insert, update, delete, create routine, alter routine, execute on `" +
      database + "`.* to maker; grant trigger, lock tables on `" + database +
      "`.* to maker; set global log_bin_trust_function_creators = 1");
  const json maker = {{"user", "maker"}, {"password", "m"}}, mover = {{"user", "mover"}, {"password", "m"}};
  Relay(Capturing(kUsual, {"kind"}, "box", maker)).writing().ApplySchema({});
  {
    Application clerk(Server({{"user", "clerk"}, {"password", "m"}}));
    clerk("insert into box (id, k, body) values (1, 'a', 'one')");
    CHECK(clerk.Try("insert into box_capture (topic, event_type) values ('', '')").find("denied") != std::string::npos);
    CHECK(clerk.Try("select * from box_capture").find("denied") != std::string::npos);
  }
  {
    // A relay with the rights that check prints, and none on the captured table itself.
    fresh.app("grant select on box_capture to mover");  // A user without any right cannot connect.
    Relay relay(Capturing(kUsual, {"kind"}, "box", mover));
    for (int i = 0; i < 2; ++i)
      for (const Finding& finding : relay.writing().CheckSchema())
        if (finding.error) {
          std::string fix = finding.fix;
          for (auto at = fix.find("<the relay's user>"); at != std::string::npos; at = fix.find("<the relay's user>"))
            fix.replace(at, 18, "mover");
          fresh.app(fix);
        }
    for (const Finding& finding : relay.writing().CheckSchema()) CHECK((finding.note ? "" : finding.what) == "");
    CHECK(Caught([&] { relay.writing().VerifySource(); }).what() == std::string(kFine));
    relay.Heartbeat();
    const auto taken = relay.Reserve();
    REQUIRE(taken.size() == 1);
    CHECK(taken[0].columns == Cells{"1", "a", std::nullopt, "made"});
    relay.Confirm({taken[0].id});
    CHECK(fresh.app("select count(*) from box_capture") == "0");
    CHECK(fresh.app("select count(*) from information_schema.table_privileges where grantee like '%mover%' and"
                    " table_name = 'box'") == "0");

    fresh.app("revoke insert on `" + database + "`.* from maker");
    CHECK(fresh.app.Try("insert into box (id) values (2)").find("denied") != std::string::npos);
    const auto found = relay.writing().CheckSchema();
    std::string all;
    for (const Finding& finding : found) all += finding.what + " | " + finding.fix + "\n";
    INFO(all);
    CHECK(Has(found, "lacks the privilege to insert into `box_capture`"));
    fresh.app("drop user maker");
    CHECK(Has(relay.writing().CheckSchema(), "runs as a user that does not exist"));
    CHECK(Caught([&] { relay.writing().VerifySource(); }).code == OUTBOX_BAD_CONFIG);
  }
  Relay again(Capturing(kUsual, {"kind"}));
  CHECK(again.writing().PlanSchema({}).size() == 3);
  again.writing().ApplySchema({});
  fresh.app("insert into box (id, k, body) values (3, 'c', 'three')");
  fresh.app("drop user clerk, mover");
}

TEST_CASE("a trigger that the server does not let anybody create is refused with a fix", "[mysql][capture]") {
  Fresh fresh;
  if (fresh.app("select @@global.log_bin") != "1") return;
  const std::string database = Server().at("database");
  fresh.app(std::string(kBox) + "; drop user if exists maker; create user maker identified by 'm'; grant all on `" +
            database + "`.* to maker; set global log_bin_trust_function_creators = 0");
  Relay relay(Capturing(kUsual, {"kind"}, "box", {{"user", "maker"}, {"password", "m"}}));
  const Error refused = Caught([&] { relay.writing().ApplySchema({}); });
  CHECK(std::string(refused.what()).find("log_bin_trust_function_creators = 1") != std::string::npos);
  CHECK(refused.code == OUTBOX_BAD_CONFIG);
  fresh.app("drop user maker; set global log_bin_trust_function_creators = 1");
}

TEST_CASE("an insert that cannot be copied is refused, and the fix of check ends the capture", "[mysql][capture]") {
  Captured box;
  box.app("rename table box_capture to elsewhere");
  CHECK(box.app.Try("insert into box (id) values (1)").find("box_capture") != std::string::npos);
  CHECK(box.app.Try("insert ignore into box (id) values (1)").find("box_capture") != std::string::npos);
  CHECK(box.app("select count(*) from box") == "0");
  box.app("rename table elsewhere to box_capture");
  for (const Finding& finding : box.relay.writing().CheckSchema())
    if (finding.note && finding.fix.starts_with("drop trigger")) box.app(finding.fix);
  box.app("insert into box (id) values (1)");
  CHECK(box.app("select count(*) from box_capture") == "0");
}

TEST_CASE("a trigger is replaced while nobody inserts, and stays while a transaction has inserted",
          "[mysql][capture]") {
  Captured box;
  const auto other = Capturing(kUsual, json::array());
  Application writer;
  writer("use `" + std::string(Server().at("database")) + "`; begin; insert into box (id, k) values (1, 'a')");
  CHECK(Caught([&] { Migrate<mysql::Adapter>(other, {}, Millis(2000)); }).code == OUTBOX_TIMEOUT);
  CHECK(box.Verified() == kFine);
  box.app("insert into box (id, k) values (2, 'b')");
  writer("commit");
  Migrate<mysql::Adapter>(other, {}, Millis(5000));
  CHECK(box.Verified() != kFine);
  writer("insert into box (id, k) values (3, 'c')");
  CHECK(box.app("select group_concat(aggregate_id order by id) from box_capture") == "a,b,c");
}

TEST_CASE("captured rows are read as before after their table is gone", "[mysql][capture]") {
  Captured box(
      "create table box (id integer not null, k text, body text character set greek, d date not null,"
      " ts timestamp(3) null, f float, e enum('it''s', 'x') character set latin1); create table Box (id text)",
      kUsual, {"d", "ts", "f", "e"});
  box.app(
      "set time_zone = '+00:00', sql_mode = ''; insert into box values (1, 'a', 'α', '0000-00-00',"
      " '2026-01-02 03:04:05.678', 0.1, 'it''s')");
  const Cells expected{"1", "a", std::nullopt, "0", "1767323045678000", "0.1", "it's"};
  const auto kinds = [&] {
    std::vector<std::int32_t> all;
    for (const Column& column : box.relay.writing().DescribeColumns()) {
      all.push_back(column.kind);
      all.push_back(column.scale);
    }
    return all;
  };
  const auto described = kinds();
  CHECK(box.relay.Reserve().at(0).columns == expected);
  box.app("drop table box");
  box.relay.Reconnect();
  box.relay.outstanding.clear();
  const auto taken = box.relay.Reserve();
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].columns == expected);
  CHECK(taken[0].payload == "α");
  CHECK(kinds() == described);
  CHECK(box.Verified().find("is missing") != std::string::npos);
}

TEST_CASE("an event that is not a captured row is refused; a column may have several roles", "[mysql][capture]") {
  Captured box(kBox, {{"id", "K"}, {"key", "k"}, {"payload", "k"}}, {"Kind"});
  CHECK(Caught([&] { box.relay.Emit({Simple("k")}); }).code == OUTBOX_BAD_CONFIG);
  box.app("insert into box (k) values ('both')");
  const auto taken = box.relay.Reserve();
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].payload == "both");
  CHECK(taken[0].columns == Cells{"both", "both", std::nullopt, "made"});
  CHECK(box.Verified() == kFine);
}

TEST_CASE("two shards, and a captured table of another database", "[mysql][capture]") {
  Fresh fresh;
  fresh.app(
      "drop database if exists sales; create database sales; create table sales.Box (id integer, k text, body text)");
  const auto config = Capturing(kUsual, json::array(), "sales.Box");
  Relay relay(config);
  relay.writing().ApplySchema({2, ""});
  CHECK(relay.writing().PlanSchema({}).empty());
  for (int i = 0; i < 200; ++i)
    fresh.app("insert into sales.Box values (" + std::to_string(i) + ", 'k" + std::to_string(i) + "', 'b')");
  std::size_t read = 0;
  for (std::uint32_t shard = 0; shard < 2; ++shard) {
    relay.shard = shard;
    relay.Heartbeat();
    for (bool more = true; more; more = relay.more)
      for (const Taken& row : relay.Reserve(20)) {
        CHECK("k" + *row.columns[0] == row.columns[1]);
        ++read;
      }
  }
  CHECK(read == 200);
  fresh.app("drop database sales");
}

}  // namespace
}  // namespace outbox::testing
