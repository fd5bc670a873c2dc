// Tests that are specific to SQLite: the file, its locks, AUTOINCREMENT and time.
#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>
#include <future>

#include "driver.hpp"
#include "schema_checks.hpp"
#include "sql/time.hpp"
#include "sqlite/adapter.hpp"
#include "sqlite_file.hpp"
#include "tests/catch.hpp"
#include "version_1.hpp"

namespace {

using namespace outbox::testing;
using outbox::Disposition;
using outbox::Error;
using outbox::Millis;
using Relay = Driver<outbox::sqlite::Adapter, outbox::sqlite::Config>;

// The role of the application that writes events, on a connection of its own.
class Application {
 public:
  explicit Application(const File& file) { REQUIRE(sqlite3_open(file.path.c_str(), &db_) == SQLITE_OK); }
  ~Application() { sqlite3_close(db_); }
  void operator()(const std::string& sql) {
    INFO(sql);
    char* text = nullptr;
    const int result = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, &text);
    const std::string message = text != nullptr ? text : "";
    sqlite3_free(text);
    REQUIRE(message == "");
    REQUIRE(result == SQLITE_OK);
  }

 private:
  sqlite3* db_ = nullptr;
};

struct Ready {
  explicit Ready(const outbox::SchemaOptions& wish = {}) : relay(file.Config()) {
    relay.writing().ApplySchema(wish);
    relay.Heartbeat();
  }
  File file;
  Relay relay;
};

}  // namespace

TEST_CASE("a missing file is an error, and the relay does not create it", "[sqlite][b58]") {
  const File file;
  Relay relay(file.Config());
  const Error error = Caught([&] { relay.Heartbeat(); });
  CHECK(error.code == OUTBOX_BAD_CONFIG);
  CHECK(std::string(error.what()).find("does not exist") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(file.path));

  relay.writing().ApplySchema({});
  relay.writing().ApplySchema({});
  CHECK(std::filesystem::exists(file.path));
  CHECK(relay.writing().CheckSchema().empty());
  CHECK(relay.Heartbeat().owned.size() == 1);
}

TEST_CASE("an error about missing tables names migrate", "[sqlite]") {
  const File file;
  Application{file}("create table other (id integer)");
  Relay relay(file.Config());
  CheckMissingTablesNameMigrate(relay);
}

TEST_CASE("an error about options names the wrong key", "[sqlite][b86]") {
  const auto text = [](const char* json) {
    return std::string(Caught([&] { outbox::sqlite::Config(json, nullptr); }).what());
  };
  CHECK(text(R"({"path": "/x", "tabel": "t"})").find("'tabel'; valid here: path, table") != std::string::npos);
  CHECK(text(R"({"table": "t"})").find("'path' is required") != std::string::npos);
  CHECK(text(R"({"path": 3})").find("'path' must be a string") != std::string::npos);
  CHECK(text(R"({"path": "/x", "table": "t; drop table x"})").find("'table'") != std::string::npos);
  CHECK(text(R"({"path": "/x", "table": "\"x\""})").find("'table'") != std::string::npos);
}

TEST_CASE("a plain INSERT of the application is delivered unchanged", "[sqlite]") {
  Ready ready;
  Application app(ready.file);
  app("insert into outbox_event (topic, aggregate_id, event_type, payload, headers)"
      " values ('orders', 'k', 'Placed', '{\"note\":\"a\\nb\"}', '{\"a\":\"1\"}')");
  app("insert into outbox_event (topic, event_type, payload) values ('orders', 'Placed', x'00ff00')");
  app("insert into outbox_event (topic, aggregate_id, event_type, payload, created_at)"
      " values ('orders', '', 'Placed', '', '2024-05-06 07:08:09.5')");
  const auto events = ready.relay.Reserve();
  REQUIRE(events.size() == 3);
  CHECK(events[0].payload == R"({"note":"a\nb"})");
  CHECK(events[0].headers == R"({"a":"1"})");
  CHECK(events[0].event_id.size() == 36);
  const auto now = std::chrono::system_clock::now().time_since_epoch() / std::chrono::microseconds(1);
  CHECK(std::abs(events[0].created_us - now) < 60'000'000);
  CHECK_FALSE(events[1].key);
  CHECK(events[1].payload == std::string("\0\xff\0", 3));
  CHECK(events[2].key == "");
  CHECK(events[2].payload == "");
  CHECK(events[2].created_us == 1714979289'500000);
}

TEST_CASE("check finds a table in which an id can be given twice", "[sqlite][b94]") {
  Ready ready;
  Application app(ready.file);
  app("drop table outbox_event");
  app("create table outbox_event (id integer primary key, event_id text not null default 'x', topic text not null,"
      " aggregate_id text, event_type text not null, payload blob, headers text, created_at text default '')");
  app("insert into outbox_event (topic, event_type) values ('a', 'b')");
  const auto findings = ready.relay.writing().CheckSchema();
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].error);
  CHECK(findings[0].what.find("AUTOINCREMENT") != std::string::npos);

  app(findings[0].fix);
  CHECK(ready.relay.writing().CheckSchema().empty());
  CHECK(ready.relay.Reserve(10, 1000, true).size() == 1);
}

TEST_CASE("check finds what is missing, and its SQL fixes it", "[sqlite]") {
  Ready ready;
  Application app(ready.file);
  app("alter table outbox_event drop column headers");
  auto findings = ready.relay.writing().CheckSchema();
  REQUIRE(findings.size() == 1);
  app(findings[0].fix);
  CHECK(ready.relay.writing().CheckSchema().empty());

  app("update outbox_meta set version = 3");
  findings = ready.relay.writing().CheckSchema();
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].what.find("version 3") != std::string::npos);
  CHECK(Caught([&] { ready.relay.writing().ApplySchema({}); }).code == OUTBOX_BAD_CONFIG);
  app("update outbox_meta set version = 2");

  app("drop table outbox_dead");
  findings = ready.relay.writing().CheckSchema();
  REQUIRE(findings.size() == 1);
  ready.relay.writing().ApplySchema({});
  CHECK(ready.relay.writing().CheckSchema().empty());
}

TEST_CASE("check warns of a journal mode in which reader and writer block each other", "[sqlite]") {
  const File file;
  const auto config = file.Config();
  Application app(file);
  app(outbox::sqlite::Adapter::PrintSchema(*config, {}));
  app("pragma journal_mode = delete");
  const auto findings = Relay(config).writing().CheckSchema();
  REQUIRE(findings.size() == 1);
  CHECK_FALSE(findings[0].error);
}

TEST_CASE("the printed schema is what migrate creates", "[sqlite]") {
  const File file;
  const auto config = file.Config(R"(, "table": "shop_event")");
  Application{file}(outbox::sqlite::Adapter::PrintSchema(*config, {3, ""}));
  Relay relay(config);
  CHECK(relay.writing().CheckSchema().empty());
  CHECK(relay.Heartbeat().owned.size() == 3);
}

TEST_CASE("a writer that keeps the lock causes a timeout, not a permanent error", "[sqlite][b54]") {
  Ready ready;
  Application app(ready.file);
  ready.relay.Emit({Simple("k")});
  const auto id = IdsOf(ready.relay.Reserve()).at(0);
  app("begin immediate");
  ready.relay.writing().Begin({0, ready.relay.token, Millis(50)});
  const std::string event = ready.relay.event_ids.at(id);
  const outbox_row raw{outbox::Raw(outbox::RowId(id)), outbox::Raw(event)};
  outbox::KeptRows kept(nullptr, 0);
  auto& adapter = ready.relay.writing();
  adapter.Begin({0, ready.relay.token, Millis(50)});
  const auto begun = std::chrono::steady_clock::now();
  CHECK(Caught([&] { adapter.ConfirmEvent({&raw, 1}, kept); }).code == OUTBOX_TIMEOUT);
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(2));
  CHECK(ready.relay.Reserve().empty());  // Readers do not wait for writers.
  app("commit");
  ready.relay.Confirm({id});
  CHECK(ready.relay.Reserve(10, 1000, true).empty());
}

TEST_CASE("cancel ends a wait for the lock, and the session goes on", "[sqlite]") {
  Ready ready;
  Application app(ready.file);
  app("begin immediate");
  auto& adapter = ready.relay.writing();
  std::uint8_t flag = 0;
  outbox::KeptRows kept(&flag, 1);
  const outbox_row raw{outbox::Raw(outbox::RowId(1)), outbox::Raw(std::string_view("nobody"))};
  adapter.Begin({0, ready.relay.token, Millis(60'000)});
  auto waiting = std::async(std::launch::async, [&] {
    return Caught([&] { adapter.ConfirmEvent({&raw, 1}, kept); }).code;
  });
  while (waiting.wait_for(std::chrono::milliseconds(5)) != std::future_status::ready) adapter.Cancel();
  CHECK(waiting.get() == OUTBOX_CANCELLED);
  app("commit");
  CHECK(Caught([&] { adapter.ConfirmEvent({&raw, 1}, kept); }).code == OUTBOX_OK);
}

TEST_CASE("a file that was replaced is opened again", "[sqlite][b59]") {
  Ready ready;
  CHECK(ready.relay.Reserve().empty());
  const auto aside = ready.file.path.string() + ".new";
  {
    Relay other(std::make_shared<outbox::sqlite::Config>(R"({"path": ")" + aside + "\"}", nullptr));
    other.writing().ApplySchema({});
    other.Emit({Simple("k")});
  }
  std::filesystem::rename(aside, ready.file.path);
  CHECK(Caught([&] { ready.relay.Reserve(); }).code == OUTBOX_UNAVAILABLE);
  std::filesystem::remove(ready.file.path.string() + "-wal");
  std::filesystem::remove(ready.file.path.string() + "-shm");
  ready.relay.Reconnect();
  ready.relay.Heartbeat();
  CHECK(ready.relay.Reserve().size() == 1);
}

TEST_CASE("a failed event holds its key, and is retried by itself", "[sqlite]") {
  Ready ready;
  auto& relay = ready.relay;
  relay.Emit({Simple("a"), Simple("b"), Simple("a")});
  CHECK(IdsOf(relay.Reserve(2)) == Ids{1, 2});
  relay.Fail(1, Disposition::kRetry, Millis(60'000));
  relay.Confirm({2});
  CHECK(relay.Reserve().empty());
  CHECK(relay.Reserve(10, 1000, true).empty());
  relay.writing().MakeRetriesDue();
  const auto due = relay.Reserve();  // The row is below the reading position, and this read is not a rewind.
  REQUIRE(IdsOf(due) == Ids{1});
  CHECK(due[0].attempts == 1);
  relay.Fail(1, Disposition::kBlock, Millis(0));
  Application(ready.file)("update outbox_retry set attempts = 0, next_try = 0");
  const auto unblocked = relay.Reserve();
  REQUIRE(IdsOf(unblocked) == Ids{1});
  // The adapter reports at least one attempt, because the relay rescans for skipped events of the key only if the event
  // has attempts.
  CHECK(unblocked[0].attempts == 1);
  // Event 3 waits for event 1, which has the same key and is not confirmed yet.
  CHECK(relay.Reserve(10, 1000, true).empty());
  relay.Confirm({1});
  CHECK(IdsOf(relay.Reserve(10, 1000, true)) == Ids{3});
}

// The trigger records the value of pragma synchronous: 1 is NORMAL, and 2 is FULL.
TEST_CASE("a confirm is the only write that does not wait for the disk, and only in WAL mode", "[sqlite]") {
  const auto [mode, expected] = GENERATE(std::pair("wal", "121"), std::pair("delete", "222"));
  const File file;
  {
    Application app(file);
    app(outbox::sqlite::Adapter::PrintSchema(*file.Config(), {}));
    app("create table seen (what text); create trigger sees after delete on outbox_event begin"
        " insert into seen select synchronous from pragma_synchronous; end");
    app(std::string("pragma journal_mode = ") + mode);
  }
  Relay relay(file.Config());
  relay.Heartbeat();
  relay.Emit({Simple("a"), Simple("b"), Simple("c")});
  CHECK(IdsOf(relay.Reserve()) == Ids{1, 2, 3});
  relay.Confirm({1});
  relay.Fail(2, Disposition::kDead, Millis(0));
  relay.Confirm({3});
  outbox::sqlite::Connection reader(file.path, false);
  std::string seen;
  for (const auto& row : reader.Run({"select what from seen", {}})) seen += row[0].value_or("");
  CHECK(seen == expected);
}

TEST_CASE("a failure whose row is gone holds back no key", "[sqlite]") {
  Ready ready;
  auto& relay = ready.relay;
  relay.Emit({Simple("a"), Simple("a")});
  CHECK(IdsOf(relay.Reserve(1)) == Ids{1});
  relay.Fail(1, Disposition::kBlock);
  CHECK(relay.Reserve(10, 1000, true).empty());
  Application{ready.file}("delete from outbox_event where id = 1");
  CHECK(IdsOf(relay.Reserve(10, 1000, true)) == Ids{2});
  CHECK(relay.writing().ReadStats().blocked == 0);
}

TEST_CASE("a blocked event is discarded or tried again only under its own event id", "[sqlite][b94]") {
  Ready ready;
  auto& relay = ready.relay;
  relay.Emit({Simple("a")});
  CHECK(IdsOf(relay.Reserve()) == Ids{1});
  relay.Fail(1, Disposition::kBlock);
  const bool another = GENERATE(false, true);
  if (another) Application{ready.file}("update outbox_event set event_id = 'another'");
  const outbox_row_id row = outbox::Raw(outbox::RowId(1));
  const std::uint64_t changed = another ? 0 : 1;
  CHECK(relay.writing().RetryNow({&row, 1}) == changed);
  Application{ready.file}("update outbox_retry set next_try = null");
  CHECK(relay.writing().DiscardBlocked({&row, 1}) == changed);
  CHECK(relay.Reserve(10, 1000, true).size() == 1 - changed);
}

TEST_CASE("a session goes on after another session's transaction", "[sqlite]") {
  Ready ready;
  auto& relay = ready.relay;
  relay.Emit({Simple("a")}, false);
  CHECK(relay.Reserve().empty());
  relay.Emit({Simple("a")});
  CHECK(relay.Reserve().size() == 1);
  CHECK_FALSE(relay.more);
}

TEST_CASE("many waiting rows are skipped in pieces", "[sqlite]") {
  Ready ready;
  Application{ready.file}(
      "with recursive n (i) as (select 1 union all select i + 1 from n where i < 200000) insert into outbox_event"
      " (topic, aggregate_id, event_type, payload) select 'orders', 'k', 'Placed', 'x' from n");
  CHECK(IdsOf(ready.relay.Reserve(1)) == Ids{1});
  ready.relay.Fail(1, Disposition::kBlock);
  Application{ready.file}(
      "insert into outbox_event (topic, aggregate_id, event_type) values ('orders', 'other', 'Placed')");
  auto& adapter = ready.relay.reading();
  outbox_reserve raw{};
  raw.max_events = 10;
  raw.max_bytes = 1000;
  int calls = 0;
  for (bool done = false; !done; ++calls) {
    REQUIRE(calls < 1000);
    adapter.Begin({0, ready.relay.token, Millis(50)});
    const outbox::ReserveRequest request{raw};
    outbox::BatchBuilder batch(request);
    // On a busy machine the timeout may expire between two rows. The next call still makes progress.
    const outbox_code code = Caught([&] { adapter.ReserveNewEvents(request, batch); }).code;
    CHECK((code == OUTBOX_OK || code == OUTBOX_TIMEOUT));
    outbox_batch out{};
    batch.Finish(&out);
    CHECK((code == OUTBOX_TIMEOUT || out.more == 1 || out.count == 1));
    done = out.count == 1;
    out.release(&out);
  }
  CHECK(calls > 1);
}

TEST_CASE("times are parsed", "[sqlite]") {
  using outbox::sql::ParseTime;
  CHECK(ParseTime("1970-01-01T00:00:01Z") == 1'000'000);
  CHECK(ParseTime("2024-02-29 12:00:00.123456") == 1709208000'123456);
  CHECK(ParseTime("2023-02-29 12:00:00") == 0);
  CHECK(ParseTime("yesterday") == 0);
  CHECK(ParseTime("") == 0);
}

// The upgrade is made either by migrate, which runs twice, or by the script that migrate prints, which runs once with
// its commented lines enabled and once unchanged.
TEST_CASE("tables of version 1 are refused, and upgraded without losing a row", "[sqlite][b12]") {
  const File file;
  Application app(file);
  app(kSqliteVersion1);
  Relay relay(file.Config());
  CheckVersion1IsRefused(relay);
  if (GENERATE(false, true)) {
    std::string script = outbox::sqlite::Adapter::PrintSchema(*file.Config(), {});
    const std::string without = script;
    for (auto at = script.find("--   "); at != std::string::npos; at = script.find("--   ", at)) script.erase(at, 5);
    REQUIRE(script != without);
    app(script);
    app(without);
  } else {
    relay.writing().ApplySchema({});
    relay.writing().ApplySchema({});
  }
  CHECK(relay.writing().CheckSchema().empty());
  // The lease in the tables of version 1 has not expired.
  CHECK(relay.Heartbeat().owned.empty());
  const auto stats = relay.writing().ReadStats();
  CHECK(stats.backlog == 3);
  CHECK(stats.retrying == 1);
  CHECK(stats.blocked == 1);
  CHECK(stats.dead == 1);
  CHECK(stats.holders.at(0).relay_id == "old");
  relay.writing().ExpireLeases();
  relay.Heartbeat();
  CHECK(relay.token == 8);
  CHECK(IdsOf(relay.Reserve()) == Ids{1, 3});
}

TEST_CASE("a second outbox cannot share the companion tables of the first", "[sqlite][b103]") {
  const File file;
  const auto named = [&](const std::string& name) { return Relay(file.Config(R"(, "table": ")" + name + "\"")); };
  Relay first = named("outbox_event");
  first.writing().ApplySchema({});
  const std::string other = GENERATE(as<std::string>(), "outbox", "Outbox");
  Relay second = named(other);
  const std::string refused = Caught([&] { second.writing().ApplySchema({}); }).what();
  CHECK(refused.find("belong to the outbox \"outbox_event\"") != std::string::npos);
  CHECK(Caught([&] { second.Heartbeat(); }).code == OUTBOX_BAD_CONFIG);
  // Another spelling of the table's name stands for the same table, with the same companion tables.
  Relay same = named("OUTBOX_EVENT");
  same.writing().ApplySchema({});
  CHECK(same.writing().CheckSchema().empty());
  CHECK(same.Heartbeat().owned.size() == 1);
  CHECK(first.writing().ReadStats().live_relays == 1);

  Application app(file);
  app("create table shop_retry (id integer)");
  Relay third = named("shop_event");
  const Error listed = Caught([&] { third.writing().ApplySchema({}); });
  CHECK(Says(listed, "\"shop_retry\" lacks the columns row_id"));
  CHECK(Has(third.writing().CheckSchema(), "shop_event is missing"));
}

TEST_CASE("migrate waits for a writer without delaying it", "[sqlite][b105]") {
  Ready ready;
  Application app(ready.file);
  app("drop index outbox_retry_due");
  CHECK(ready.relay.writing().PlanSchema({}).size() == 1);
  app("begin immediate");
  auto& adapter = ready.relay.writing();
  adapter.Begin({0, 0, Millis(50)});
  CHECK(Caught([&] { adapter.ApplySchema({}); }).code == OUTBOX_TIMEOUT);
  adapter.Begin({0, 0, Millis(30'000)});
  auto migrating = std::async(std::launch::async, [&] { return Caught([&] { adapter.ApplySchema({}); }).code; });
  app("insert into outbox_event (topic, event_type) values ('orders', 'Placed'); commit");
  CHECK(migrating.get() == OUTBOX_OK);
  CHECK(ready.relay.writing().PlanSchema({}).empty());
  CHECK(ready.relay.Reserve().size() == 1);
}
