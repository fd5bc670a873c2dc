// Tests of the capture of an application's table in PostgreSQL: which rows the trigger copies, when it copies them, and
// what check reports.
#include <nlohmann/json.hpp>
#include <random>

#include "server.hpp"

namespace outbox::testing {
namespace {

using nlohmann::json;
using Cells = std::vector<std::optional<std::string>>;

std::shared_ptr<postgres::Config> Capturing(const json& columns, const json& record_columns = json::array(),
                                            const std::string& table = "public.box",
                                            const std::string& connection = Server()) {
  return std::make_shared<postgres::Config>(json{{"connection", connection},
                                                 {"table", table},
                                                 {"capture", "trigger"},
                                                 {"columns", columns},
                                                 {"record_columns", record_columns}}
                                                .dump(),
                                            nullptr);
}

const json kUsual = {{"id", "id"}, {"key", "k"}, {"payload", "body"}};
constexpr const char* kBox =
    "create table box (id integer, k varchar(300), body text, kind varchar(10) default 'made')";

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
  std::shared_ptr<postgres::Config> config;
  Relay relay;
};

constexpr const char* kFine = "nothing was thrown";

TEST_CASE("inserted rows are read in the order of their insertion, whatever happens to them later",
          "[postgres][capture]") {
  Captured box;
  box.app("insert into box values (1, 'a', 'one'), (2, 'b', 'two'), (3, 'a', 'three')");
  box.app("begin; insert into box values (4, 'a', 'four'); update box set body = 'other'; delete from box; commit");
  box.app("begin; insert into box values (5, 'a', 'gone'); rollback");
  box.app(
      "begin; savepoint s; insert into box values (6, 'a', 'gone'); rollback to s;"
      " insert into box values (7, 'b', 'seven'); commit; truncate box");
  CHECK(box.Read() == "1:a:one 2:b:two 3:a:three 4:a:four 7:b:seven");
  box.relay.Confirm({1, 2, 3, 4});
  CHECK(box.Read() == "");

  box.app("alter table box add primary key (id); insert into box values (8, 'c', 'eight')");
  box.app("insert into box values (8, 'c', 'again'), (9, 'c', 'nine') on conflict (id) do update set body = 'updated'");
  box.app("insert into box values (9, 'c', 'again'), (10, null, null) on conflict do nothing");
  box.app("copy box (id, k, body) from program 'printf \"11\\tx\\t\\\\\\\\N\\n12\\ty\\tcopied\\n\"'");
  box.app(
      "set session_replication_role = replica; insert into box values (13, 'z', 'replicated');"
      "reset session_replication_role; insert into box select generate_series(21, 40), 'k', 'many'");
  std::string many;
  for (int i = 21; i <= 40; ++i) many += " " + std::to_string(i) + ":k:many";
  CHECK(box.Read() == "8:c:eight 9:c:nine 10:-:- 11:x:- 12:y:copied" + many);
}

TEST_CASE("rows of a partitioned table are captured, however they are inserted", "[postgres][capture]") {
  Captured box(
      "create table box (id integer, k text, body text, part integer) partition by list (id);"
      "create table box_1 (part integer, body text, k text, id integer);"
      "alter table box attach partition box_1 for values in (1, 2);"
      "create table box_2 partition of box default",
      {{"id", "id"}, {"key", "k"}, {"payload", "body"}, {"partition", "part"}}, json::array());
  box.app(
      "insert into box values (1, 'a', 'one', 7), (3, 'a', 'two', null); insert into box_1 (id, k, body) values (2, "
      "'b', 'direct')");
  box.app(
      "create table box_3 (like box); alter table box_2 add check (id <> 4);"
      "alter table box attach partition box_3 for values in (4); insert into box_3 values (4, 'c', 'new', 9)");
  CHECK(box.Read() == "1:7:one 3:a:two 2:b:direct 4:9:new");
  CHECK(box.Verified() == kFine);
  box.app("alter table box_1 disable trigger box_capture");
  CHECK(box.Verified().find("is disabled") != std::string::npos);
}

TEST_CASE("a table that becomes a partition gets another trigger", "[postgres][capture]") {
  Captured box("create table box (id integer, k text, body text)", kUsual, json::array());
  box.app(
      "create table whole (id integer, k text, body text) partition by list (id);"
      "alter table whole attach partition box for values in (1, 2)");
  CHECK(box.Verified().find("another list of columns") != std::string::npos);
  const auto plan = box.relay.writing().PlanSchema({});
  REQUIRE(plan.size() == 1);
  CHECK(plan[0] == "replace function public.box_capture() and replace trigger box_capture on public.box");
  box.relay.writing().ApplySchema({});
  CHECK(box.Verified() == kFine);
  box.app("insert into whole values (1, 'a', 'through'); insert into box values (2, 'a', 'direct')");
  CHECK(box.Read() == "1:a:through 2:a:direct");
}

// A column of the table `every`: its type, SQL for a random value, and SQL for the expected result, in which `c` stands
// for the column.
struct Typed {
  const char *type, *value, *expected;
  std::int32_t kind;
  std::int32_t scale = -1;
};
constexpr const char* kText = "format('%s', c)";
// SQL for the microseconds from 2000-01-01 to `c`. extract(epoch from ...) is not used, because it is inexact for the
// earliest and latest times of the type.
#define OUTBOX_SINCE_2000(c)                                                              \
  "extract(day from " c " - timestamp '2000-01-01') * 86400000000 + extract(hour from " c \
  " - timestamp '2000-01-01') * 3600000000 + extract(minute from " c                      \
  " - timestamp '2000-01-01') * 60000000"                                                 \
  " + extract(microseconds from " c " - timestamp '2000-01-01')"
#define OUTBOX_MICROS(c) \
  "case when isfinite(c) then cast(trunc(946684800000000 + " OUTBOX_SINCE_2000(c) ") as text) else format('%s', c) " \
                                                                                  "end"
constexpr const char* kMicros = OUTBOX_MICROS("c");
constexpr const char* kInstant = OUTBOX_MICROS("(c at time zone 'UTC')");
constexpr const char* kAnyTime =
    "(array['infinity', '-infinity', '4713-01-01 00:00:00 BC', '294276-12-31 23:59:59.999999', '1969-12-31 "
    "23:59:59.999999',"
    " '2026-03-04 05:06:07.089', '0044-03-15 12:00:00 BC', '9999-12-31 23:59:59.999999', '1970-01-01'])[1 + "
    "trunc(random() * 9)]";
constexpr const char* kAnyText =
    "(array['', ' ', 'a  ', 'ä€', repeat('x', 300), E'\\\\\\x01\\n\\t\"''', '{event} {copies} [x] $1 $outbox$'])[1 + "
    "trunc(random() * 7)]";
const std::vector<Typed>& AllTypes() {
  static const std::vector<Typed> kTypes{
      {"smallint", "random() * 60000 - 30000", kText, OUTBOX_COLUMN_INTEGER},
      {"integer", "random() * 4e9 - 2e9", kText, OUTBOX_COLUMN_INTEGER},
      {"bigint", "random() * 1.8e19 - 9e18", kText, OUTBOX_COLUMN_INTEGER},
      {"boolean", "random() < 0.5", "case when c then 'true' else 'false' end", OUTBOX_COLUMN_BOOLEAN},
      {"real", "(array['NaN', 'Infinity', '-Infinity', '0.1', '3.4e38', '1e-45'])[1 + trunc(random() * 6)]", kText,
       OUTBOX_COLUMN_FLOAT},
      {"double precision",
       "(array['NaN', 'Infinity', '-Infinity', '0.1', '1e308', '5e-324', '100'])[1 + trunc(random() * 7)]", kText,
       OUTBOX_COLUMN_DOUBLE},
      {"numeric(10,2)", "(random() - 0.5) * 1e7", kText, OUTBOX_COLUMN_DECIMAL, 2},
      {"numeric", "(array['NaN', '1.50', '-0.000', '1e-300', '1e300'])[1 + trunc(random() * 5)]", kText,
       OUTBOX_COLUMN_DECIMAL},
      {"timestamp", kAnyTime, kMicros, OUTBOX_COLUMN_TIMESTAMP},
      {"timestamp(3)", "timestamp '2026-01-01' + random() * interval '1000 days'", kMicros, OUTBOX_COLUMN_TIMESTAMP, 3},
      {"timestamptz", kAnyTime, kInstant, OUTBOX_COLUMN_INSTANT, 6},
      {"date", kAnyTime, "case when isfinite(c) then cast(c - date '1970-01-01' as text) else format('%s', c) end",
       OUTBOX_COLUMN_DATE},
      {"bytea", "decode(md5(cast(random() as text)), 'hex')", "encode(c, 'hex')", OUTBOX_COLUMN_BYTES},
      {"json", "(array['{\"b\":1, \"a\": 2, \"b\":3}', 'null', '[1.0]', '\"\"'])[1 + trunc(random() * 4)]", kText,
       OUTBOX_COLUMN_JSON},
      {"jsonb", "(array['{\"b\":1, \"a\": 2}', 'null', '[1.0]', '\"\"'])[1 + trunc(random() * 4)]", kText,
       OUTBOX_COLUMN_JSON},
      {"text", kAnyText, "c", OUTBOX_COLUMN_TEXT},
      {"varchar(300)", kAnyText, "c", OUTBOX_COLUMN_TEXT},
      {"char(5)", "left(md5(cast(random() as text)), cast(random() * 5 as integer))", kText, OUTBOX_COLUMN_TEXT},
      {"uuid", "gen_random_uuid()", kText, OUTBOX_COLUMN_TEXT},
      {"inet", "'10.0.0.1/8'", kText, OUTBOX_COLUMN_TEXT},
      {"int4range", "'[1,5)'", kText, OUTBOX_COLUMN_TEXT},
      {"interval", "random() * interval '400 days'", kText, OUTBOX_COLUMN_OTHER},
      {"integer[]", "'{1,NULL,3}'", kText, OUTBOX_COLUMN_OTHER},
      {"timestamptz[]", "array[timestamptz '2026-01-02 03:04:05+00']", kText, OUTBOX_COLUMN_OTHER},
      {"other.mood", "(array['glad', 'Sad \"x\"'])[1 + trunc(random() * 2)]", kText, OUTBOX_COLUMN_TEXT},
      {"other.money_of", "12.5", kText, OUTBOX_COLUMN_DECIMAL, 2},
      {"other.at", kAnyTime, kInstant, OUTBOX_COLUMN_INSTANT, 6},
      {"other.pair", "row(null, null)", kText, OUTBOX_COLUMN_OTHER},
      {"integer generated always as identity", nullptr, kText, OUTBOX_COLUMN_INTEGER},
      {"integer generated always as (k0 * 2) stored", nullptr, kText, OUTBOX_COLUMN_INTEGER},
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
                                               "[look]",
                                               "[mark]",
                                               ":name",
                                               "a::text",
                                               "it's \\ \"",
                                               "$outbox$",
                                               "; drop table",
                                               "%I %s",
                                               " ",
                                               "\xC3\xA4\xE2\x82\xAC",
                                               "created_at",
                                               "$1",
                                               "n",
                                               "new",
                                               "outbox_rows",
                                               "copy_0",
                                               "u",
                                               "select",
                                               "E'\\x27",
                                               "--",
                                               "/*",
                                               "row_id",
                                               "tg_op",
                                               "",
                                               ""};
  return kNames.at(i).empty() ? "c" + std::to_string(i) : kNames[i];
}
std::string Quoted(const std::string& name) {
  std::string quoted = "\"";
  for (const char c : name) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + '"';
}

constexpr const char* kOtherTypes =
    "drop schema if exists other cascade; create schema other; create type other.mood as enum ('glad', 'Sad \"x\"');"
    "create domain other.money_of as numeric(8,2) check (value > 0); create domain other.zoned as timestamptz(6);"
    "create domain other.at as other.zoned; create type other.pair as (a integer, b text);"
    // A cast that another user has defined. The trigger has its owner's rights, so it must not run the cast.
    "create function other.cast_of(other.mood) returns text language plpgsql as 'begin raise exception ''a cast ran''; "
    "end';"
    "create cast (other.mood as text) with function other.cast_of(other.mood) as assignment";

// Returns the expected values of each row of the table `every`, keyed by the row's number in k0.
std::map<std::string, Cells> Expected(Application& app) {
  std::string list;
  for (std::size_t i = 0; i < AllTypes().size(); ++i) {
    const std::string sql = AllTypes()[i].expected;
    // A `c` that is a word of its own stands for the column.
    std::string filled;
    for (std::size_t at = 0; at < sql.size(); ++at) {
      const auto word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
      const bool alone =
          sql[at] == 'c' && (at == 0 || !word(sql[at - 1])) && (at + 1 == sql.size() || !word(sql[at + 1]));
      filled += alone ? Quoted(NameOf(i)) : std::string(1, sql[at]);
    }
    list += ", case when " + Quoted(NameOf(i)) + " is not distinct from null then null else " + filled + " end";
  }
  app("set timezone = 'UTC'; set datestyle = 'ISO'; set intervalstyle = 'postgres'; set extra_float_digits = 1");
  std::map<std::string, Cells> expected;
  const json rows =
      json::parse(app("select coalesce(json_agg(json_build_array(k0" + list + ")), '[]') from public.every"));
  for (const json& row : rows) {
    Cells& cells = expected[row[0].dump()];
    for (std::size_t i = 1; i < row.size(); ++i)
      cells.push_back(row[i].is_null() ? std::nullopt : std::optional(row[i].get<std::string>()));
  }
  return expected;
}

std::string Hex(const std::string& bytes) {
  std::string hex;
  for (const char c : bytes) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", static_cast<unsigned char>(c));
    hex += two;
  }
  return hex;
}

void CheckColumns(const Cells& columns, const Cells& expected) {
  // The first three columns are id, key and payload. The payload column has no value, because the payload is a separate
  // field of the event.
  REQUIRE(columns.size() == expected.size() + 3);
  CHECK(columns[2] == std::nullopt);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO(AllTypes()[i].type << " in " << NameOf(i));
    const bool bytes = AllTypes()[i].kind == OUTBOX_COLUMN_BYTES && columns[i + 3];
    const std::string no_value = "no value";
    CHECK((bytes ? Hex(*columns[i + 3]) : columns[i + 3].value_or(no_value)) == expected[i].value_or(no_value));
  }
}

TEST_CASE("every type is captured as the database writes it, under any name, whatever the session's settings",
          "[postgres][capture]") {
  Fresh fresh;
  fresh.app(kOtherTypes);
  std::string create = "create table every (k0 integer, body bytea, k text";
  json record = json::array();
  for (std::size_t i = 0; i < AllTypes().size(); ++i) {
    create += ", " + Quoted(NameOf(i)) + " " + AllTypes()[i].type;
    record.push_back(NameOf(i));
  }
  fresh.app(create + ")");
  const auto config = Capturing({{"id", "k0"}, {"key", "k"}, {"payload", "body"}}, record, "public.every");
  Relay relay(config);
  relay.writing().ApplySchema({});
  CHECK(relay.writing().PlanSchema({}).empty());
  CHECK(Caught([&] { relay.writing().VerifySource(); }).code == OUTBOX_OK);
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
  std::string names, values;
  for (std::size_t i = 0; i < AllTypes().size(); ++i) {
    if (AllTypes()[i].value == nullptr) continue;
    const std::string type = AllTypes()[i].type;
    names += ", " + Quoted(NameOf(i));
    values += ", case when random() < 0.8 then cast((" + std::string(AllTypes()[i].value) + ") as " + type + ") end";
  }
  fresh.app("select setseed(" + std::to_string(static_cast<double>(random() % 1000) / 1000) + ")");
  fresh.app(
      "set timezone = 'Asia/Kathmandu'; set datestyle = 'German'; set intervalstyle = 'iso_8601';"
      "set extra_float_digits = -15; set bytea_output = 'escape'; set search_path = other, pg_temp");
  fresh.app("insert into public.every (k0, k, body" + names +
            ") select g, repeat('k', 297) || 100 + g, decode(md5(cast(g as text)), 'hex')" + values +
            " from generate_series(1, 300) g");
  const auto expected = Expected(fresh.app);
  REQUIRE(expected.size() == 300);
  const auto taken = relay.Reserve();
  REQUIRE(taken.size() == 300);
  for (std::size_t i = 0; i < taken.size(); ++i) {
    INFO("row " << i);
    CHECK(taken[i].key == std::string(297, 'k') + std::to_string(101 + i));
    CHECK(taken[i].payload->size() == 16);
    REQUIRE(taken[i].columns.at(0) == std::to_string(i + 1));
    CheckColumns(taken[i].columns, expected.at(std::to_string(i + 1)));
  }

  // All other ways to read the events must return the same columns: a read with a limit of bytes, a retry, the lists of
  // failed events and of dead letters, and a read after a requeue.
  relay.outstanding.clear();
  std::size_t read = 0;
  for (bool more = true; more; more = relay.more) {
    for (const Taken& row : relay.Reserve(50, 20'000, read == 0))
      CheckColumns(row.columns, expected.at(std::to_string(++read)));
  }
  CHECK(read == 300);
  relay.FailAll({7}, Disposition::kRetry, Millis(0));
  relay.FailAll({8}, Disposition::kBlock);
  relay.Fail(9, Disposition::kDead);
  relay.writing().MakeRetriesDue();
  const auto again = relay.Reserve();
  REQUIRE(again.size() == 1);
  CheckColumns(again[0].columns, expected.at("7"));
  for (const auto& [list, id] : {std::pair{OUTBOX_FROM_FAILED, "8"}, std::pair{OUTBOX_FROM_DEAD, "9"}}) {
    const std::string row = id;
    Query query;
    query.from = static_cast<std::uint32_t>(list);
    query.contents = true;
    query.max = 10;
    std::size_t found = 0;
    relay.writing().List(query, [&](const Record& one) {
      if (one.event.row_id.ToText() != row) return true;
      ++found;
      Cells cells;
      for (const outbox_bytes& column : one.event.columns)
        cells.push_back(column.data ? std::optional<std::string>(View(column)) : std::nullopt);
      CheckColumns(cells, expected.at(row));
      return true;
    });
    CHECK(found == 1);
  }
  CHECK(Requeue(relay, 9) == 1);
  for (const long long id : IdsOf(again)) relay.Confirm({id});
  const auto requeued = relay.Reserve();
  REQUIRE(requeued.size() == 1);
  CheckColumns(requeued[0].columns, expected.at("9"));
  fresh.app("set search_path = public; drop schema other cascade");
}

TEST_CASE("every session writes keys and payloads of other types in the same way", "[postgres][capture]") {
  const auto [type, value, key] = GENERATE(table<const char*, const char*, const char*>(
      {{"timestamptz", "'2026-01-02 03:04:05+05'", "2026-01-01 22:04:05+00"},
       {"bytea", "'\\x01ff'", "\\x01ff"},
       {"char(4)", "'a'", "a   "},
       {"double precision", "0.1", "0.1"},
       {"uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}}));
  Captured box(std::string("create table box (id integer, k ") + type + ", body " + type + ")", kUsual, json::array());
  box.app(std::string("set timezone = 'Asia/Kathmandu'; set datestyle = 'SQL, DMY'; set bytea_output = 'escape';"
                      "set extra_float_digits = -15; insert into box values (1, ") +
          value + ", " + value + "), (2, null, null)");
  const auto taken = box.relay.Reserve();
  REQUIRE(taken.size() == 2);
  CHECK(taken[0].key == key);
  CHECK(taken[0].payload == (std::string(type) == "bytea" ? "\x01\xff" : key));
  CHECK(taken[1].key == std::nullopt);
  CHECK(taken[1].payload == std::nullopt);
}

TEST_CASE("the application needs no rights but INSERT, and gets none", "[postgres][capture]") {
  Captured box;
  box.app(
      "drop role if exists shop; create role shop login; grant usage on schema public to shop; grant insert on box to "
      "shop;"
      "create schema evil; grant all on schema evil to shop");
  {
    Application shop(Server() + " user=shop");
    shop(
        "set search_path = evil, pg_catalog; create function evil.format(text, text) returns text language sql as $$ "
        "select 'evil' $$;"
        "create table evil.box_capture (aggregate_id text); create temporary table box_capture (aggregate_id text);"
        "create temporary table outbox_rows (id integer)");
    shop("insert into public.box values (1, 'a', 'one')");
    CHECK(shop.Try("insert into public.box_capture (topic, event_type) values ('', '')").find("permission denied") !=
          std::string::npos);
    CHECK(shop.Try("select public.box_capture()").find("permission denied") != std::string::npos);
    CHECK(shop.Try("select * from public.box_capture").find("permission denied") != std::string::npos);
  }
  CHECK(box.Read() == "1:a:one");
  box.app("drop schema evil cascade; drop owned by shop; drop role shop");
}

TEST_CASE("lastval() returns the copy's id, but currval() and RETURNING return the row's", "[postgres][capture]") {
  Captured box("create table box (id serial, k text, body text)", kUsual, json::array());
  box.app("insert into box (id, k) select 100, 'x' from generate_series(1, 5)");
  CHECK(box.app("insert into box (k) values ('a') returning id") == "1");
  CHECK(box.app("select currval('box_id_seq')") == "1");
  CHECK(box.app("select lastval()") == "6");
}

TEST_CASE("an insert that cannot be copied is refused", "[postgres][capture]") {
  Captured box;
  box.app("alter table box_capture rename to elsewhere");
  CHECK(box.app.Try("insert into box values (1, 'a', 'one')").find("box_capture") != std::string::npos);
  CHECK(box.app("select count(*) from box") == "0");
}

TEST_CASE("the trigger waits for writers of the table for a moment only, and the error names them",
          "[postgres][capture]") {
  Fresh fresh;
  fresh.app(kBox);
  fresh.app("begin; insert into box values (1, 'a', 'before the trigger')");
  const auto config = Capturing(kUsual);
  const Error error = Caught([&] { Migrate<postgres::Adapter>(config, {}, Millis(6000)); });
  CHECK(error.code == OUTBOX_TIMEOUT);
  INFO(error.what());
  CHECK(std::string(error.what()).find("belongs to process " + fresh.app("select pg_backend_pid()")) !=
        std::string::npos);
  fresh.app("commit");
  CHECK(fresh.app("select count(*) from pg_tables where tablename like 'box\\_capture%'") == "0");
  Migrate<postgres::Adapter>(config, {}, Millis(5000));
  CHECK(fresh.app("select count(*) from box_capture") == "0");
}

TEST_CASE("columns that are added to the mapping and removed from it", "[postgres][capture]") {
  Captured box;
  box.app("insert into box values (1, 'a', 'one')");
  const auto other = Capturing({{"key", "id"}, {"payload", "body"}}, {"k"});
  Relay second(other);
  CHECK(Caught([&] { second.writing().VerifySource(); }).what() != std::string(kFine));
  const auto plan = second.writing().PlanSchema({});
  REQUIRE(plan.size() == 1);
  CHECK(plan[0] == "replace function public.box_capture()");
  second.writing().ApplySchema({});
  CHECK(second.writing().PlanSchema({}).empty());
  box.app("insert into box values (2, 'b', 'two')");
  CHECK(box.app("select string_agg(concat_ws(',', id, aggregate_id, source_id, k, kind, payload), ' ' order by id) from"
                " box_capture") == "1,a,1,a,made,one 2,2,2,b,two");
  const auto third = Capturing(kUsual, {"kind", "added"});
  box.app("alter table box add added timestamp default 'infinity'");
  Relay last(third);
  CHECK(last.writing().PlanSchema({}) == std::vector<std::string>{"add column box_capture.added",
                                                                  "add column box_capture_dead.added",
                                                                  "replace function public.box_capture()"});
  last.writing().ApplySchema({});
  box.app("insert into box values (3, 'c', 'three')");
  last.Heartbeat();
  const auto taken = last.Reserve();
  REQUIRE(taken.size() == 3);
  CHECK(taken[0].columns == Cells{"1", "a", std::nullopt, "made", std::nullopt});
  CHECK(taken[2].columns == Cells{"3", "c", std::nullopt, "made", "infinity"});
}

TEST_CASE("the printed SQL creates the same as migrate", "[postgres][capture]") {
  constexpr const char* kMade =
      "select concat((select string_agg(concat_ws(' ', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), "
      "a.attnotnull),"
      " ',' order by c.relname, a.attname) from pg_attribute a join pg_class c on c.oid = a.attrelid where c.relname "
      "like"
      " 'box\\_capture%' and c.relkind = 'r' and a.attnum > 0), (select concat(prosrc, proconfig, prosecdef, proacl) "
      "from pg_proc"
      " where proname = 'box_capture'), (select pg_get_triggerdef(oid) from pg_trigger where tgname = 'box_capture'))";
  const std::string table = GENERATE("public.box", "box");
  const char* const create = "create table box (id integer, k float8, body jsonb, \"A{event} $outbox$ ':\" date)";
  const json record = {"A{event} $outbox$ ':"};
  Fresh fresh;
  fresh.app(create);
  const auto config = Capturing(kUsual, record, table);
  Relay(config).writing().ApplySchema({});
  const std::string made = fresh.app(kMade);
  Database::DropTables(fresh.app);
  fresh.app(create);
  const std::string script = postgres::Adapter::PrintSchema(*config, {});
  fresh.app(script);
  CHECK(fresh.app(kMade) == made);
  fresh.app(script);
  CHECK(fresh.app(kMade) == made);
  Relay relay(config);
  CHECK(relay.writing().PlanSchema({}).empty());
  fresh.app("insert into box values (1, 0.5, '{\"a\": 1}', '-infinity')");
  relay.Heartbeat();
  const auto taken = relay.Reserve();
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].columns == Cells{"1", "0.5", std::nullopt, "-infinity"});
  CHECK(taken[0].payload == R"({"a": 1})");
}

TEST_CASE("a defect of the captured table or its trigger is found", "[postgres][capture]") {
  Captured box;
  const auto errors = [&] {
    std::vector<Finding> found = box.relay.writing().CheckSchema();
    std::erase_if(found, [](const Finding& finding) { return finding.note; });
    return found;
  };
  CHECK(errors().empty());
  CHECK(box.Verified() == kFine);
  const auto [sql, what, by_relay] = GENERATE(table<const char*, const char*, bool>({
      {"alter table box disable trigger box_capture", "is disabled", true},
      {"drop trigger box_capture on box", "has no trigger", true},
      {"alter table box rename to box_old; create table box (like box_old)", "the trigger box_capture is on box_old",
       true},
      {"alter table box rename to box_old", "is missing", true},
      {"create or replace function box_capture() returns trigger language plpgsql as 'begin return null; end'",
       "another list of columns", true},
      {"alter table box rename column kind to sort", "has no column \"kind\"; the table has: id, k, body, sort", true},
      {"alter table box alter column kind drop default, alter column kind type timestamptz using null",
       "column kind is text, expected timestamp", true},
      {"alter table box alter column body type bytea using null", "column payload is text, expected bytea", true},
      {"alter table box_capture drop column kind", "column public.box_capture.kind is missing", false},
      {"drop role if exists nobody; create role nobody; alter function box_capture() owner to nobody",
       "lacks the privileges to insert into", true},
      {"drop role if exists nobody; create role nobody; grant insert on box_capture to nobody; grant usage on schema "
       "public to"
       " nobody; alter function box_capture() owner to nobody; alter table box_capture enable row level security, "
       "force row"
       " level security",
       "is forced on role nobody", true},
      {"drop table box; create view box as select 1 as id, '' as k, '' as body, '' as kind", "is a view", true},
      {"create table again (like box); create trigger box_capture after insert on again referencing new table as "
       "outbox_rows"
       " for each statement execute function box_capture()",
       "is also on again", false},
  }));
  box.app(sql);
  const auto findings = errors();
  INFO(sql);
  for (const Finding& finding : findings) INFO(finding.what << " | " << finding.fix);
  CHECK(Has(findings, what));
  if (by_relay) CHECK(box.Verified().find(what) != std::string::npos);
  if (std::string(what) == "is also on again") CHECK(box.Verified() == kFine);
  box.app("drop table if exists again, box_old; drop function if exists box_capture() cascade");
}

TEST_CASE("the SQL that check prints fixes a trigger and the type of a copied column", "[postgres][capture]") {
  Captured box;
  box.app("alter table box alter column kind drop default, alter column kind type timestamptz using null");
  for (const Finding& finding : box.relay.writing().CheckSchema())
    if (finding.fix.starts_with("alter table")) box.app(finding.fix);
  box.relay.writing().ApplySchema({});
  CHECK(box.Verified() == kFine);
  box.app("alter table box disable trigger box_capture");
  for (const Finding& finding : box.relay.writing().CheckSchema())
    if (finding.error) box.app(finding.fix);
  CHECK(box.Verified() == kFine);
  // Ends the capture with the SQL that check prints.
  for (const Finding& finding : box.relay.writing().CheckSchema())
    if (finding.note && finding.fix.starts_with("drop trigger")) box.app(finding.fix);
  box.app("insert into box values (1, 'a', 'one')");
  CHECK(box.app("select count(*) from box_capture") == "0");
}

TEST_CASE("an event that is not a captured row is refused, and the payload follows the column", "[postgres][capture]") {
  Captured box;
  const Error refused = Caught([&] { box.relay.Emit({Simple("k")}); });
  CHECK(refused.code == OUTBOX_BAD_CONFIG);
  CHECK(std::string(refused.what()).find("insert into \"public\".\"box\" instead") != std::string::npos);
  CHECK(Caught([&] { box.relay.writing().ApplySchema({0, "bytea"}); }).code == OUTBOX_BAD_CONFIG);
  box.app("insert into box values (1, 'a', '{}'); alter table box alter column body type json using body::json");
  // migrate refuses to adapt the payload's type to the altered column, because the adaptation rewrites the waiting
  // event.
  CHECK(Caught([&] { box.relay.writing().ApplySchema({}); }).what() != std::string(kFine));
  CHECK(box.Read() == "1:a:{}");
  box.relay.Confirm({1});
  box.relay.writing().ApplySchema({});
  box.app("insert into box values (2, 'a', '{ \"b\": 1, \"b\": 2}')");
  box.relay.Reconnect();
  CHECK(box.Read() == "2:a:{ \"b\": 1, \"b\": 2}");
}

TEST_CASE("the relay needs rights on its own tables only", "[postgres][capture]") {
  Captured box;
  box.app("drop role if exists mover; create role mover login");
  {
    Relay relay(Capturing(kUsual, {"kind"}, "public.box", Server() + " user=mover"), "relay-2");
    for (const Finding& finding : relay.writing().CheckSchema())
      if (finding.error) box.app(finding.fix);
    CHECK_FALSE(Has(relay.writing().CheckSchema(), "lacks"));
    CHECK(relay.writing().DescribeColumns().size() == 4);
    CHECK(Caught([&] { relay.writing().VerifySource(); }).what() == std::string(kFine));
    CHECK(box.app("select has_table_privilege('mover', 'box', 'select')") == "f");
    box.app("insert into box values (1, 'a', 'one')");
    box.relay.writing().ReleaseShards("relay-1", {}, true);
    relay.Heartbeat();
    CHECK(relay.Reserve().size() == 1);
    relay.Confirm({1});
    CHECK(box.app("select count(*) from box_capture") == "0");
  }
  box.app("drop owned by mover; drop role mover");
}

TEST_CASE("a table is found along the search path, and its capture table is created in the same schema",
          "[postgres][capture]") {
  Fresh fresh;
  fresh.app(
      "drop schema if exists shop cascade; create schema shop; create table shop.box (id integer, k text, body text)");
  const std::string path = Server() + " options='-c search_path=shop,public'";
  json options{{"connection", path}, {"table", "box"}, {"capture", "trigger"}, {"columns", kUsual}};
  Relay relay(std::make_shared<postgres::Config>(options.dump(), nullptr));
  relay.writing().ApplySchema({});
  CHECK(fresh.app("select count(*) from pg_tables where schemaname = 'shop' and tablename like 'box%'") == "7");
  fresh.app("insert into shop.box values (1, 'a', 'one')");
  relay.Heartbeat();
  CHECK(relay.Reserve().size() == 1);
  fresh.app("drop schema shop cascade");
}

}  // namespace
}  // namespace outbox::testing
