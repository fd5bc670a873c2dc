// What only PostgreSQL can get wrong: rows that commit late, plans, locks, connections, grants.
// OUTBOX_TEST_POSTGRES is a connection string of a superuser of an otherwise empty server.
#include <libpq-fe.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <span>
#include <thread>

#include "driver.hpp"
#include "postgres/adapter.hpp"
#include "postgres/errors.hpp"
#include "tests/catch.hpp"
#include "version_1.hpp"

namespace {

using outbox::Disposition;
using outbox::Error;
using outbox::Event;
using outbox::Finding;
using outbox::Millis;
using outbox::testing::Caught;
using outbox::testing::CheckTurnedUp;
using outbox::testing::Has;
using outbox::testing::IdsOf;
using outbox::testing::ReadOn;
using outbox::testing::Rest;
using outbox::testing::Simple;
using outbox::testing::Taken;
using Ids = std::vector<long long>;
using Clock = std::chrono::steady_clock;
using outbox::postgres::Config;
using Relay = outbox::testing::Driver<outbox::postgres::Adapter, Config>;

std::string Server() {
  const char* const server = std::getenv("OUTBOX_TEST_POSTGRES");
  if (server == nullptr) throw std::runtime_error("OUTBOX_TEST_POSTGRES is not set: run on_a_server.py");
  return server;
}

// The application: a connection of its own.
class Application {
 public:
  explicit Application(const std::string& connection = Server()) : db_(PQconnectdb(connection.c_str())) {
    REQUIRE(PQstatus(db_) == CONNECTION_OK);
    PQsetNoticeProcessor(
        db_, [](void*, const char*) {}, nullptr);
  }
  ~Application() { PQfinish(db_); }
  Application(const Application&) = delete;
  std::string operator()(const std::string& sql) {
    PGresult* const result = PQexec(db_, sql.c_str());
    const std::string message = PQresultErrorMessage(result);
    const std::string value = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
    PQclear(result);
    INFO(sql);
    REQUIRE(message == "");
    return value;
  }
  // The error, if it is one.
  std::string Try(const std::string& sql) {
    PGresult* const result = PQexec(db_, sql.c_str());
    const std::string message = PQresultErrorMessage(result);
    PQclear(result);
    return message;
  }
  // A row of this key; its id.
  long long Insert(const std::string& key, const std::string& payload = "{}") {
    return std::stoll(
        (*this)("insert into outbox_event (topic, aggregate_id, event_type, payload) values ('orders', '" + key +
                "', 'Placed', '" + payload + "') returning id"));
  }

 private:
  PGconn* db_;
};

std::shared_ptr<Config> Configured(const std::string& connection = Server(),
                                   const std::string& table = "outbox_event") {
  return std::make_shared<Config>(R"({"connection": ")" + connection + R"(", "table": ")" + table + "\"}", nullptr);
}

// Every test begins without tables.
struct Fresh {
  Fresh() { app("drop schema public cascade; create schema public"); }
  Application app;
};

struct Ready : Fresh {
  explicit Ready(const outbox::SchemaOptions& wish = {}) : relay(Configured()) {
    relay.writing().ApplySchema(wish);
    relay.Heartbeat();
  }
  Relay relay;
};

}  // namespace

// The second read asks for new rows alone where no id is missing, and must not where one is.
TEST_CASE("in a backlog, too, a row that turns up goes out before newer ones", "[postgres][b38]") {
  Ready ready;
  const bool missing_at_first = GENERATE(false, true);
  Ids newer;
  if (!missing_at_first)
    for (int i = 0; i < 3; ++i) newer.push_back(ready.app.Insert("k"));
  Application late;
  late("begin");
  const long long first = late.Insert("k");
  for (int i = 0; i < 7; ++i) newer.push_back(ready.app.Insert("k"));
  const std::span all(newer);
  CHECK(std::ranges::equal(IdsOf(ready.relay.Reserve(2)), all.subspan(0, 2)));
  CHECK(std::ranges::equal(IdsOf(ready.relay.Reserve(2)), all.subspan(2, 2)));
  late("commit");
  CHECK(IdsOf(ready.relay.Reserve(2)).front() == first);
  CHECK(Rest(ready.relay).back() == newer.back());
}

// Another relay's deletes leave ids missing that nobody need wait for. Those of whoever is open are not among them.
TEST_CASE("beside a relay that is ahead, too, a row that turns up goes out before newer ones", "[postgres][b38]") {
  Ready ready({2, ""});
  ready.relay.shard = static_cast<std::uint32_t>(std::stoi(ready.app("select hashtext('k') & 1")));
  ready.relay.Heartbeat();
  const std::string ours = "hashtext(aggregate_id) & 1 = " + std::to_string(ready.relay.shard);
  const bool early = GENERATE(true, false);
  const auto backlog = [&] {
    ready.app(
        "insert into outbox_event (topic, aggregate_id, event_type)"
        " select 'orders', case i % 3 when 0 then 'k' else 'k' || i % 50 end, 'Placed' from generate_series(1, 600) i");
    ready.app("delete from outbox_event where not " + ours + " and id % 2 = 0");
  };
  backlog();
  Application late;
  Ids seen;
  if (!early)
    for (int i = 0; i < 5; ++i) ReadOn(ready.relay, 20, seen);
  late("begin");
  const long long first = late.Insert("k");
  backlog();
  while (seen.empty() || seen.back() < first + 100) {
    ReadOn(ready.relay, 20, seen);
    REQUIRE(ready.relay.more);
  }
  late("commit");
  CheckTurnedUp(ready.relay, first, seen, ready.app("select count(*) from outbox_event where " + ours));
}

TEST_CASE("a batch is as good as full where most rows are other shards'", "[postgres]") {
  Ready ready({8, ""});
  ready.app(
      "insert into outbox_event (topic, aggregate_id, event_type) select 'orders', 'k' || i % 400, 'Placed'"
      " from generate_series(1, 8000) i");
  std::vector<std::size_t> sizes;
  do {
    sizes.push_back(ready.relay.Reserve(100).size());
  } while (ready.relay.more);
  REQUIRE(sizes.size() > 8);
  // It learns with the first four.
  CHECK(*std::min_element(sizes.begin() + 4, sizes.end() - 2) > 60);
}

TEST_CASE("a row that commits late is met before the next one of its key", "[postgres][b38]") {
  Ready ready;
  Application late;
  late("begin");
  const long long first = late.Insert("k");
  const Ids others{ready.app.Insert("a"), ready.app.Insert("b"), ready.app.Insert("c")};
  CHECK(IdsOf(ready.relay.Reserve()) == others);
  ready.relay.Confirm(others);
  for (int i = 0; i < 5; ++i) CHECK(ready.relay.Reserve().empty());
  late("commit");
  const long long second = ready.app.Insert("k");
  CHECK(IdsOf(ready.relay.Reserve()) == Ids{first, second});
}

TEST_CASE("an id that was drawn before its transaction had a number is not lost", "[postgres][b38]") {
  Ready ready;
  Application late;
  // As an INSERT does whose trigger takes its time: the lock, then the id, and only then a number.
  late("begin; lock table outbox_event in row exclusive mode");
  const std::string id = late("select nextval(pg_get_serial_sequence('outbox_event', 'id'))");
  const long long other = ready.app.Insert("a");
  CHECK(IdsOf(ready.relay.Reserve()) == Ids{other});
  for (int i = 0; i < 5; ++i) CHECK(ready.relay.Reserve().empty());
  late("insert into outbox_event (id, topic, event_type) values (" + id + ", 'orders', 'Placed'); commit");
  CHECK(IdsOf(ready.relay.Reserve()) == Ids{std::stoll(id)});
}

TEST_CASE("a prepared transaction counts as open", "[postgres][b38]") {
  Ready ready;
  Application late;
  late("begin");
  const long long first = late.Insert("k");
  late("prepare transaction 'late'");
  const long long other = ready.app.Insert("a");
  CHECK(IdsOf(ready.relay.Reserve()) == Ids{other});
  for (int i = 0; i < 5; ++i) CHECK(ready.relay.Reserve().empty());
  ready.app("commit prepared 'late'");
  const long long second = ready.app.Insert("k");
  CHECK(IdsOf(ready.relay.Reserve()) == Ids{first, second});
}

TEST_CASE("behind a writer that stays open for long nothing is lost or overtaken", "[postgres][b38]") {
  Ready ready;
  Application late;
  const bool commits = GENERATE(true, false);
  late("begin");
  const long long first = late.Insert("k");
  ready.app("insert into outbox_event (topic, event_type) select 'orders', 'Placed' from generate_series(1, 60000)");
  std::size_t delivered = 0;
  for (int i = 0; i < 200 && delivered < 60'000; ++i) {
    const Ids ids = IdsOf(ready.relay.Reserve(2000));
    CHECK_FALSE(std::count(ids.begin(), ids.end(), first));
    ready.relay.Confirm(ids);
    delivered += ids.size();
  }
  CHECK(delivered == 60'000);
  late(commits ? "commit" : "rollback");
  const long long second = ready.app.Insert("k");
  CHECK(Rest(ready.relay) == (commits ? Ids{first, second} : Ids{second}));
  const long long third = ready.app.Insert("k");
  CHECK(Rest(ready.relay) == Ids{third});
}

TEST_CASE("texts are UTF-8, whatever encoding the connection asks for", "[postgres]") {
  Ready ready;
  ready.app("set client_encoding = 'UTF8'");
  ready.app.Insert("ключ", "значение");
  Relay relay(Configured(Server() + " client_encoding=LATIN1"), "relay-1");
  relay.token = ready.relay.token;
  const std::vector<Taken> taken = relay.Reserve();
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].key == "ключ");
  CHECK(taken[0].payload == "значение");
}

TEST_CASE("a table that is locked while it is to be read: it is told by whom", "[postgres][b31]") {
  Ready ready;
  (void)ready.relay.Reserve();
  Application writer, altering;
  writer("begin; insert into outbox_event (topic, event_type) values ('t', 'T')");
  altering("set application_name = 'altering'");
  auto waits =
      std::async(std::launch::async, [&] { return altering.Try("alter table outbox_event add column c int"); });
  while (ready.app("select count(*) from pg_locks where mode = 'AccessExclusiveLock' and not granted") == "0") {
  }
  const Error error = Caught([&] { (void)ready.relay.Reserve(); });
  writer("commit");
  CHECK(waits.get() == "");
  CHECK(error.code == OUTBOX_TIMEOUT);
  INFO(error.what());
  CHECK(std::string(error.what()).find("is locked by pid ") != std::string::npos);
  CHECK(std::string(error.what()).find("application altering") != std::string::npos);
}

TEST_CASE("plans made while the table was empty hold when it is full", "[postgres][b32]") {
  Ready ready;
  CHECK(ready.relay.Reserve().empty());
  ready.relay.Confirm({1});
  ready.app(
      "insert into outbox_event (topic, aggregate_id, event_type, payload) select 'orders', 'k' || i, 'Placed',"
      " repeat('x', 100) from generate_series(1, 200000) i");
  // A table that is scanned costs more than a second for each of these; by the index it is a few milliseconds.
  const auto begun = Clock::now();
  for (int i = 0; i < 40; ++i) ready.relay.Confirm(IdsOf(ready.relay.Reserve()));
  CHECK(Clock::now() - begun < std::chrono::seconds(10));
  // Nothing is scanned: the server counts.
  const std::string scans =
      "select pg_sleep(1.5); select seq_scan from pg_stat_user_tables where relname = 'outbox_event'";
  ready.relay.Reconnect();
  const std::string before = ready.app(scans);
  CHECK(ready.relay.Reserve().size() == 1000);
  ready.relay.Fail(*ready.relay.outstanding.begin(), Disposition::kBlock);
  CHECK(ready.relay.Reserve(1000, 64 << 20, true).size() > 0);
  ready.relay.Confirm({ready.relay.outstanding.begin(), ready.relay.outstanding.end()});
  ready.relay.Reconnect();
  CHECK(ready.app(scans) == before);
}

TEST_CASE("deleted rows before the oldest one cost nothing once they are passed", "[postgres][b35]") {
  Ready ready;
  Application holder;
  holder("begin isolation level repeatable read; select 1");  // keeps every deleted row
  holder("select count(*) from outbox_event");
  ready.app("insert into outbox_event (topic, event_type) select 'orders', 'Placed' from generate_series(1, 300000)");
  Ids ids;
  while (!(ids = IdsOf(ready.relay.Reserve(20'000))).empty()) ready.relay.Confirm(ids);
  for (int i = 0; i < 3; ++i) CHECK(ready.relay.Reserve().empty());
  const auto begun = Clock::now();
  for (int i = 0; i < 50; ++i) CHECK(ready.relay.Reserve().empty());
  const auto quiet = Clock::now() - begun;
  const auto rewind = Clock::now();
  CHECK(ready.relay.Reserve(1000, 64 << 20, true).empty());
  INFO(std::chrono::duration<double>(quiet).count() << " s for 50 reads");
  CHECK(quiet < 25 * (Clock::now() - rewind));  // a rewind meets all of them
}

TEST_CASE("limits cut a batch by rows and by bytes, and more tells", "[postgres]") {
  Ready ready;
  for (int i = 0; i < 6; ++i) ready.app.Insert("k" + std::to_string(i), std::string(1000, 'x'));
  CHECK(ready.relay.Reserve(2).size() == 2);
  CHECK(ready.relay.more);
  CHECK(ready.relay.Reserve(10, 2100).size() == 2);
  CHECK(ready.relay.more);
  CHECK(ready.relay.Reserve(10, 10).size() == 1);  // one always
  CHECK(ready.relay.more);
  CHECK(ready.relay.Reserve(1).size() == 1);  // the limit is reached and nothing is left
  CHECK_FALSE(ready.relay.more);
  // In hand all of them: a rewind passes them in silence.
  CHECK(ready.relay.Reserve(2, 1500, true).empty());
  CHECK_FALSE(ready.relay.more);
}

TEST_CASE("payloads of every column type", "[postgres]") {
  const std::string type = GENERATE("text", "bytea", "json", "jsonb");
  Ready ready({0, type});
  ready.app.Insert("k", type == "bytea" ? "\\x00ff00" : R"({"note":"a\nb"})");
  ready.app("insert into outbox_event (topic, aggregate_id, event_type) values ('orders', '', 'Gone')");
  const auto events = ready.relay.Reserve();
  REQUIRE(events.size() == 2);
  const std::string space = type == "jsonb" ? " " : "";
  CHECK(events[0].payload == (type == "bytea" ? std::string("\0\xff\0", 3) : R"({"note":)" + space + R"("a\nb"})"));
  CHECK(events[0].event_id.size() == 36);
  const auto now = std::chrono::system_clock::now().time_since_epoch() / std::chrono::microseconds(1);
  CHECK(std::abs(events[0].created_us - now) < 60'000'000);
  CHECK_FALSE(events[1].payload);
  CHECK(events[1].key == "");

  ready.app("select outbox_emit('orders', 'k2', 'Placed', " + std::string(type == "bytea" ? "'x'::bytea" : "'{}'") +
            ", '{\"a\": \"1\"}')");
  const auto emitted = ready.relay.Reserve();
  REQUIRE(emitted.size() == 1);
  CHECK(emitted[0].headers == R"({"a": "1"})");
  CHECK(ready.relay.writing().CheckSchema().empty());
}

TEST_CASE("a payload that the column cannot hold is refused, and the fix it names helps", "[postgres]") {
  Ready ready;
  const std::string bytes("\0\xff", 2);
  const Error error = Caught([&] { ready.relay.Emit({Simple("a"), Simple("k", bytes)}); });
  CHECK(error.code == OUTBOX_BAD_DATA);
  CHECK(std::string(error.what()).find("migrate --payload bytea") != std::string::npos);
  ready.relay.writing().EndEmit(false);
  ready.relay.Emit({Simple("a", "text")});
  ready.relay.writing().ApplySchema({0, "bytea", false, true});
  ready.relay.Reconnect();
  ready.relay.Emit({Simple("k", bytes)});
  const auto events = ready.relay.Reserve();
  REQUIRE(events.size() == 2);
  CHECK(events[0].payload == "text");
  CHECK(events[1].payload == bytes);
}

TEST_CASE("events are inserted in order, with and without ids of their own", "[postgres]") {
  Ready ready;
  std::vector<std::string> keys;
  for (int i = 0; i < 3000; ++i) keys.push_back(std::to_string(i));
  std::vector<Event> events;
  for (const auto& key : keys) events.push_back(Simple(key));
  events[5].event_id = "00000000-0000-0000-0000-000000000005";
  events[7].headers = R"({"a":"1"})";
  events[8].aggregate_id.reset();
  ready.relay.Emit(events, false);
  CHECK(ready.relay.Reserve().empty());
  ready.relay.Emit(events);
  const auto got = ready.relay.Reserve(5000);
  REQUIRE(got.size() == keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (i != 8) CHECK(got[i].key == keys[i]);
  CHECK(got[5].event_id == events[5].event_id);
  CHECK(got[7].headers == R"({"a": "1"})");
  CHECK_FALSE(got[8].key);
}

TEST_CASE("failures hold their key, come back by themselves, and end as dead letters", "[postgres]") {
  Ready ready;
  auto& relay = ready.relay;
  const long long a1 = ready.app.Insert("a"), b1 = ready.app.Insert("b"), a2 = ready.app.Insert("a");
  CHECK(IdsOf(relay.Reserve(2)) == Ids{a1, b1});
  relay.Fail(a1, Disposition::kRetry, Millis(60'000));
  relay.Confirm({b1});
  CHECK(relay.Reserve().empty());
  CHECK(relay.Reserve(10, 1000, true).empty());
  relay.writing().MakeRetriesDue();
  for (int i = 0; i < 3; ++i) {
    // Below the reading position by now, and no rewind was asked for.
    const auto due = relay.Reserve();
    REQUIRE(IdsOf(due) == Ids{a1});
    CHECK(due[0].attempts == static_cast<std::uint32_t>(i + 1));
    relay.Fail(a1, Disposition::kRetry);
  }
  CHECK(relay.writing().ReadStats().retrying == 1);
  ready.app("update outbox_retry set attempts = 0");
  const auto set_back = relay.Reserve();
  REQUIRE(IdsOf(set_back) == Ids{a1});
  CHECK(set_back[0].attempts == 1);  // else the relay would not look for the followers that were passed by
  ready.app("update outbox_retry set attempts = 4");
  relay.Fail(a1, Disposition::kDead, Millis(0), "too \xff large");
  CHECK(ready.app("select count(*) from outbox_retry") == "0");
  CHECK(ready.app("select reason || ' ' || error || ' ' || attempts from outbox_dead") == "test too ? large 5");
  CHECK(IdsOf(relay.Reserve(10, 1000, true)) == Ids{a2});
  relay.Confirm({a2});

  const std::string row = std::to_string(a1);
  const outbox_bytes raw = outbox::Raw(row);
  CHECK(relay.writing().Requeue({&raw, 1}) == 1);
  CHECK(relay.writing().Requeue({&raw, 1}) == 0);
  CHECK(relay.Reserve().size() == 1);
}

TEST_CASE("a failure whose row is gone keeps nobody back, nor does one from before TRUNCATE", "[postgres][b94]") {
  Ready ready;
  auto& relay = ready.relay;
  const long long a1 = ready.app.Insert("a"), a2 = ready.app.Insert("a");
  CHECK(IdsOf(relay.Reserve(1)) == Ids{a1});
  relay.Fail(a1, Disposition::kBlock);
  CHECK(relay.Reserve(10, 1000, true).empty());
  ready.app("delete from outbox_event where id = " + std::to_string(a1));
  CHECK(IdsOf(relay.Reserve(10, 1000, true)) == Ids{a2});
  CHECK(relay.writing().ReadStats().blocked == 0);
  relay.outstanding.clear();
  ready.app("truncate outbox_event restart identity");
  CHECK(ready.app.Insert("a") == a1);
  CHECK(IdsOf(relay.Reserve(10, 1000, true)) == Ids{a1});
}

TEST_CASE("a stale token changes nothing", "[postgres]") {
  Ready ready;
  const long long id = ready.app.Insert("a");
  CHECK(ready.relay.Reserve().size() == 1);
  Relay other(Configured(), "relay-2");
  CHECK(other.Heartbeat().owned.empty());
  ready.relay.writing().ExpireLeases();
  CHECK(other.Heartbeat().owned.size() == 1);
  CHECK(other.token == ready.relay.token + 1);
  for (const auto disposition : {Disposition::kRetry, Disposition::kDead})
    CHECK(Caught([&] { ready.relay.Fail(id, disposition); }).code == OUTBOX_LEASE_LOST);
  CHECK(Caught([&] { ready.relay.Reserve(); }).code == OUTBOX_LEASE_LOST);
  CHECK(ready.app("select (select count(*) from outbox_retry) + (select count(*) from outbox_dead)") == "0");
  CHECK(IdsOf(other.Reserve()) == Ids{id});
  CHECK(ready.relay.Heartbeat().owned.empty());
}

TEST_CASE("relays share the shards, and every row has one of them", "[postgres][b34]") {
  Ready ready({8, ""});
  Relay other(Configured(), "relay-2");
  CHECK(ready.relay.Heartbeat().owned.size() == 8);
  CHECK(other.Heartbeat().owned.empty());
  std::vector<outbox_owned_shard> back;
  for (const auto& shard : ready.relay.Heartbeat().owned)
    if (shard.state == OUTBOX_SHARD_RELEASE) back.push_back(shard);
  REQUIRE(back.size() == 4);
  ready.relay.writing().ReleaseShards("relay-1", back, false);
  const auto mine = ready.relay.Heartbeat().owned, theirs = other.Heartbeat().owned;
  CHECK(mine.size() == 4);
  REQUIRE(theirs.size() == 4);

  ready.app(
      "insert into outbox_event (topic, aggregate_id, event_type) select 'orders', case when i % 3 > 0 then 'k' || i % "
      "50"
      " end, 'Placed' from generate_series(1, 2000) i");
  std::set<long long> seen;
  const auto drain = [&](Relay& relay, const std::vector<outbox_owned_shard>& shards) {
    for (const auto& shard : shards) {
      relay.shard = shard.shard;
      relay.token = shard.token;
      long long last = 0;
      std::size_t before = seen.size();
      do {
        for (const Taken& row : relay.Reserve(30)) {
          CHECK(row.id > last);
          last = row.id;
          CHECK(seen.insert(row.id).second);
          CHECK(row.topic == "orders");
          CHECK(row.type == "Placed");
          CHECK(row.key.has_value() == (row.id % 3 > 0));
        }
      } while (relay.more);
      CHECK(seen.size() > before);
    }
  };
  drain(ready.relay, mine);
  drain(other, theirs);
  CHECK(seen.size() == 2000);

  other.writing().ReleaseShards("relay-2", {}, true);
  CHECK(ready.relay.Heartbeat().owned.size() == 8);
  CHECK(ready.relay.writing().ReadStats().shards_owned == 8);
}

TEST_CASE("a standby's look writes nothing, and an owner's seldom", "[postgres][b36]") {
  Ready ready;
  Relay standby(Configured(), "relay-2");
  const auto numbers = [&] { return ready.app("select txid_snapshot_xmax(txid_current_snapshot())"); };
  ready.relay.Heartbeat();
  const std::string before = numbers();
  for (int i = 0; i < 20; ++i) {
    CHECK(standby.Heartbeat().owned.empty());
    CHECK(ready.relay.Heartbeat().owned.size() == 1);
    CHECK(ready.relay.Reserve().empty());
  }
  CHECK(numbers() == before);
}

TEST_CASE("locks, ends and silence of the server", "[postgres][b17][b26][b29][b31]") {
  Ready ready;
  const long long id = ready.app.Insert("a");
  CHECK(ready.relay.Reserve().size() == 1);
  const std::string text = std::to_string(id);
  const std::string event = ready.relay.event_ids.at(id);
  const outbox_row row{outbox::Raw(text), outbox::Raw(event)};
  auto& adapter = ready.relay.writing();
  const auto confirmed = [&](Millis timeout) {
    adapter.Begin({0, ready.relay.token, timeout});
    outbox::KeptRows kept(nullptr, 0);
    return Caught([&] { adapter.ConfirmEvent({&row, 1}, kept); });
  };
  const auto confirm = [&](Millis timeout) { return confirmed(timeout).code; };
  const auto says = [](const Error& error, const std::string& what) {
    INFO(error.what());
    CHECK(std::string(error.what()).find(what) != std::string::npos);
  };

  SECTION("a locked row: the statement ends, the session lives, and it is told who has the row") {
    Application locker;
    locker("set application_name = 'a locker'");
    locker("begin; select 1 from outbox_event for update");
    const Error refused = confirmed(Millis(400));
    CHECK(refused.code == OUTBOX_REFUSED);
    says(refused, "locked by pid " + locker("select pg_backend_pid()") + ", user ");
    says(refused, "application a locker, in a transaction since 2");
    // The rows beside it go.
    std::vector<long long> others;
    for (int i = 0; i < 100; ++i) others.push_back(ready.app.Insert("b" + std::to_string(i)));
    CHECK(ready.relay.Reserve().size() == 100);
    ready.relay.Confirm(others);
    locker("commit");
    CHECK(confirm(Millis(2000)) == OUTBOX_OK);
    CHECK(ready.app("select count(*) from outbox_event") == "0");
  }
  SECTION("a locked table, or one that a trigger writes to: no row is to blame") {
    Application locker;
    const std::string pid = locker("select pg_backend_pid()");
    locker("begin; lock table outbox_event in share mode");
    const Error waited = confirmed(Millis(400));
    CHECK(waited.code == OUTBOX_TIMEOUT);
    says(waited, "is locked by pid " + pid);
    locker("commit");
    locker(
        "create table removals (n bigint); insert into removals values (0); grant all on removals to public;"
        " create function count_them() returns trigger language plpgsql as"
        " 'begin update removals set n = n + 1; return old; end';"
        " create trigger counts before delete on outbox_event for each row execute function count_them()");
    locker("begin; select 1 from removals for update");
    const Error behind = confirmed(Millis(400));
    CHECK(behind.code == OUTBOX_TIMEOUT);
    says(behind, "count_them()");
    locker("commit");
    CHECK(confirm(Millis(2000)) == OUTBOX_OK);
  }
  SECTION("a delete that takes too long is asked for again, fewer rows at a time") {
    ready.app(
        "create function dawdle() returns trigger language plpgsql as 'begin perform pg_sleep(60); return old; end';"
        " create trigger dawdles before delete on outbox_event for each row execute function dawdle()");
    const Error refused = confirmed(Millis(400));
    CHECK(refused.code == OUTBOX_REFUSED);
    says(refused, "slow");
    ready.app("drop trigger dawdles on outbox_event");
    CHECK(confirm(Millis(2000)) == OUTBOX_OK);
  }
  SECTION("cancel ends a wait, and the session goes on") {
    Application locker;
    locker("begin; select 1 from outbox_event for update");
    auto waiting = std::async(std::launch::async, [&] { return confirm(Millis(60'000)); });
    while (waiting.wait_for(std::chrono::milliseconds(5)) != std::future_status::ready) adapter.Cancel();
    CHECK(waiting.get() == OUTBOX_CANCELLED);
    locker("commit");
    CHECK(confirm(Millis(2000)) == OUTBOX_OK);
    CHECK(ready.app("select count(*) from outbox_event") == "0");
  }
  SECTION("a connection that the server ends") {
    ready.app("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'outbox-relay'");
    CHECK(confirm(Millis(2000)) == OUTBOX_UNAVAILABLE);
    CHECK(Caught([&] { ready.relay.Reserve(); }).code == OUTBOX_UNAVAILABLE);
    ready.relay.Reconnect();
    CHECK(ready.relay.Reserve(10, 1000, true).empty());  // still in hand
    ready.relay.Confirm({id});
  }
  SECTION("a server that stands still") {
    CHECK(confirm(Millis(2000)) == OUTBOX_OK);
    // The session that worked last is the one that confirmed.
    const auto pid =
        std::stoi(ready.app("select pid from pg_stat_activity where application_name = 'outbox-relay' and datname ="
                            " current_database() order by state_change desc limit 1"));
    REQUIRE(kill(pid, SIGSTOP) == 0);
    const auto begun = Clock::now();
    const auto code = confirm(Millis(300));
    const auto took = Clock::now() - begun;
    kill(pid, SIGCONT);
    CHECK(code == OUTBOX_TIMEOUT);
    CHECK(took < std::chrono::seconds(3));
  }
  SECTION("a server that is read-only") {
    ready.app("alter system set default_transaction_read_only = on; ");
    ready.app("select pg_reload_conf()");
    ready.relay.Reconnect();
    outbox_code code = OUTBOX_OK;
    for (int i = 0; i < 500 && code == OUTBOX_OK; ++i) {
      ready.relay.Reconnect();
      ready.relay.writing().Begin({0, ready.relay.token, Millis(1000)});
      code = Caught([&] { ready.relay.Confirm({id}); }).code;
    }
    CHECK(code == OUTBOX_UNAVAILABLE);
    // Nothing is handed out that could not be confirmed, and a relay that starts now waits.
    CHECK(Caught([&] { (void)ready.relay.Reserve(); }).code == OUTBOX_UNAVAILABLE);
    CHECK(Caught([&] { (void)ready.relay.writing().CheckSchema(); }).code == OUTBOX_UNAVAILABLE);
    Application reset;
    reset("set default_transaction_read_only = off");
    reset("alter system reset default_transaction_read_only");
    reset("select pg_reload_conf()");
    ready.app("set default_transaction_read_only = off");
  }
}

TEST_CASE("a pooler that changes sessions between statements is named", "[postgres][b41]") {
  const Error error =
      outbox::postgres::Explain(outbox::sql::Tables("outbox_event"), "42P05", "prepared statement already exists");
  CHECK(error.code == OUTBOX_UNAVAILABLE);
  CHECK(std::string(error.what()).find("session mode") != std::string::npos);
}

TEST_CASE("a connection that cannot be made says whose fault it is, and never the password", "[postgres]") {
  const auto failure = [](const std::string& connection) {
    return Caught([&] { outbox::postgres::Adapter adapter(Configured(connection)); });
  };
  const Error closed = failure("host=127.0.0.1 port=1 user=x password=hunter2");
  CHECK(closed.code == OUTBOX_UNAVAILABLE);
  const Error database = failure(Server() + " dbname=nowhere password=hunter2");
  CHECK(database.code == OUTBOX_BAD_CONFIG);
  const Error role = failure(Server() + " user=nobody password=hunter2");
  CHECK(role.code == OUTBOX_BAD_CONFIG);
  const Error port = failure("host=127.0.0.1 port=5432:x password=hunter2");
  CHECK(port.code == OUTBOX_BAD_CONFIG);
  const Error broken = Caught([] { Configured("password=hunter2 and more"); });
  CHECK(broken.code == OUTBOX_BAD_CONFIG);
  for (const Error& error : {closed, database, role, port, broken})
    CHECK(std::string(error.what()).find("hunter2") == std::string::npos);
}

TEST_CASE("missing tables name what makes them; a second migrate changes nothing", "[postgres]") {
  Fresh fresh;
  Relay relay(Configured());
  for (const Error& error : {Caught([&] { relay.Heartbeat(); }), Caught([&] { relay.Reserve(); })}) {
    CHECK(error.code == OUTBOX_BAD_CONFIG);
    CHECK(std::string(error.what()).find("outbox-relay migrate") != std::string::npos);
  }
  CHECK(relay.writing().CheckSchema().size() == 6);
  relay.writing().ApplySchema({});
  const std::string before = fresh.app("select string_agg(xmin::text, ',' order by oid) from pg_class");
  relay.writing().ApplySchema({});
  CHECK(fresh.app("select string_agg(xmin::text, ',' order by oid) from pg_class") == before);
  CHECK(relay.writing().CheckSchema().empty());
}

TEST_CASE("two migrates at once", "[postgres]") {
  Fresh fresh;
  const auto migrate = [] {
    outbox::postgres::Adapter adapter(Configured());
    adapter.Begin({0, 0, Millis(20'000)});
    adapter.ApplySchema({});
  };
  auto one = std::async(std::launch::async, migrate), two = std::async(std::launch::async, migrate);
  CHECK_NOTHROW(one.get());
  CHECK_NOTHROW(two.get());
}

TEST_CASE("another schema, another name, and the printed SQL", "[postgres][b86]") {
  Fresh fresh;
  const auto config = Configured(Server(), "Sales.Shop_event");
  fresh.app(outbox::postgres::Adapter::PrintSchema(*config, {2, "bytea"}));
  Relay relay(config);
  CHECK(relay.writing().CheckSchema().empty());
  CHECK(relay.Heartbeat().owned.size() == 2);
  CHECK(fresh.app("select count(*) from pg_tables where schemaname = 'Sales' and tablename like 'Shop\\_%'") == "6");
  relay.Emit({Simple("k")});
  CHECK(relay.Reserve().size() + (relay.shard = 1, relay.Heartbeat(), relay.Reserve().size()) == 1);
  fresh.app("drop schema \"Sales\" cascade");
}

TEST_CASE("a table that the application made with another payload type is taken as it is", "[postgres]") {
  Fresh fresh;
  fresh.app(
      "create table outbox_event (id bigint generated always as identity primary key, event_id uuid not null default"
      " gen_random_uuid(), topic text not null, aggregate_id text, event_type text not null, payload bytea, headers"
      " json, created_at timestamptz not null default now())");
  Relay relay(Configured());
  relay.writing().ApplySchema({});
  CHECK(relay.writing().CheckSchema().empty());
  relay.Heartbeat();
  relay.Emit({Simple("k", std::string_view("\0\xff", 2))});
  const Ids ids = IdsOf(relay.Reserve());
  REQUIRE(ids.size() == 1);
  relay.Fail(ids[0], Disposition::kDead);
  const std::string row = std::to_string(ids[0]);
  const outbox_bytes raw = outbox::Raw(row);
  CHECK(relay.writing().Requeue({&raw, 1}) == 1);
  CHECK(relay.Reserve().at(0).payload == std::string("\0\xff", 2));
}

TEST_CASE("the number of shards changes only while no relay runs", "[postgres]") {
  Ready ready;
  const Error error = Caught([&] { ready.relay.writing().ApplySchema({4, ""}); });
  CHECK(error.code == OUTBOX_BAD_CONFIG);
  CHECK(std::string(error.what()).find("only while no relay runs") != std::string::npos);
  const auto token = ready.relay.token;
  ready.relay.writing().ExpireLeases();
  ready.relay.writing().ApplySchema({4, ""});
  CHECK(ready.relay.Heartbeat().owned.size() == 4);
  CHECK(ready.relay.token > token + 1);
  CHECK(ready.relay.writing().CheckSchema().empty());
}

TEST_CASE("check finds what is wrong, and its SQL fixes it", "[postgres]") {
  Ready ready;
  struct Wrong {
    const char *sql, *what;
    bool error;
  };
  const auto wrong = GENERATE(values<Wrong>({
      {"alter table outbox_event drop column headers", "headers is missing", true},
      {"alter table outbox_event alter column aggregate_id type integer using 0", "aggregate_id is integer", true},
      {"alter sequence outbox_event_id_seq cache 10", "CACHE", false},
      {"alter sequence outbox_event_id_seq cycle", "CYCLE", true},
      {"alter table outbox_event drop constraint outbox_event_pkey", "no unique index", true},
      {"alter table outbox_event alter column id drop identity", "draws from no sequence", true},
  }));
  ready.app(wrong.sql);
  const auto findings = ready.relay.writing().CheckSchema();
  REQUIRE(findings.size() == 1);
  INFO(findings[0].what << "\n" << findings[0].fix);
  CHECK(findings[0].what.find(wrong.what) != std::string::npos);
  CHECK(findings[0].error == wrong.error);
  ready.app(findings[0].fix);
  CHECK(ready.relay.writing().CheckSchema().empty());
}

TEST_CASE("check warns of commits that are seen before they are on disk", "[postgres]") {
  Ready ready;
  ready.app("alter role current_user set synchronous_commit = off");
  ready.relay.Reconnect();
  const auto findings = ready.relay.writing().CheckSchema();
  ready.app("alter role current_user reset synchronous_commit");
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].what.find("(fsync=on, synchronous_commit=off)") != std::string::npos);
  CHECK_FALSE(findings[0].error);
}

TEST_CASE("tables of a newer relay are refused", "[postgres][b12]") {
  Ready ready;
  ready.app("update outbox_meta set version = 3");
  CHECK(Has(ready.relay.writing().CheckSchema(), "version 3"));
  CHECK(Caught([&] { ready.relay.writing().ApplySchema({}); }).code == OUTBOX_BAD_CONFIG);
}

TEST_CASE("with exactly the grants that check names the relay runs", "[postgres]") {
  Fresh fresh;
  const auto owner = Configured(Server(), "sales.shop_event");
  {
    Relay relay(owner);
    relay.writing().ApplySchema({});
    relay.Emit({Simple("a"), Simple("b"), Simple("c")});
  }
  fresh.app("create role mover login");
  Relay mover(Configured(Server() + " user=mover", "sales.shop_event"));
  CHECK(Caught([&] { mover.Heartbeat(); }).code == OUTBOX_BAD_CONFIG);
  CHECK(std::string(Caught([&] { mover.writing().ApplySchema({}); }).what()).find("--print") != std::string::npos);
  for (const Finding& finding : mover.writing().CheckSchema()) {
    INFO(finding.what);
    CHECK(finding.error);
    fresh.app(finding.fix);
  }
  CHECK(mover.writing().CheckSchema().empty());
  mover.Heartbeat();
  const Ids ids = IdsOf(mover.Reserve());
  REQUIRE(ids.size() == 3);
  mover.Confirm({ids[0]});
  mover.Fail(ids[1], Disposition::kRetry);
  mover.Fail(ids[2], Disposition::kDead);
  CHECK(mover.writing().ReadStats().dead == 1);
  CHECK(Caught([&] { mover.Emit({Simple("x")}); }).code == OUTBOX_BAD_CONFIG);
  mover.writing().EndEmit(false);
  mover.writing().ReleaseShards("relay-1", {}, true);
  fresh.app("drop schema sales cascade; drop owned by mover; drop role mover");
}

TEST_CASE("many rows that wait are passed in pieces, and not again", "[postgres]") {
  Ready ready;
  const long long head = ready.app.Insert("k");
  CHECK(ready.relay.Reserve(1).size() == 1);
  ready.relay.Fail(head, Disposition::kBlock);
  ready.app(
      "insert into outbox_event (topic, aggregate_id, event_type) select 'orders', 'k', 'Placed' from"
      " generate_series(1, 100000)");
  const long long other = ready.app.Insert("other");
  Ids ids;
  for (int i = 0; i < 1000 && ids.empty(); ++i) {
    ids = IdsOf(ready.relay.Reserve(10));
    CHECK((ready.relay.more || !ids.empty()));
  }
  CHECK(ids == Ids{other});
  for (int i = 0; i < 3; ++i) (void)ready.relay.Reserve();
  const auto begun = Clock::now();
  for (int i = 0; i < 20; ++i) CHECK(ready.relay.Reserve().empty());
  CHECK(Clock::now() - begun < std::chrono::seconds(2));
}

TEST_CASE("no error text shows what was bound", "[postgres]") {
  Ready ready;
  ready.app("alter table outbox_dead add check (error <> 'SECRET-TEXT')");
  const long long id = ready.app.Insert("SECRET-KEY", "SECRET-PAYLOAD");
  CHECK(ready.relay.Reserve().size() == 1);
  const Error error = Caught([&] { ready.relay.Fail(id, Disposition::kDead, Millis(0), "SECRET-TEXT"); });
  CHECK(error.code == OUTBOX_BAD_DATA);
  CHECK(std::string(error.what()).find("SECRET") == std::string::npos);
  ready.app("drop table outbox_dead");
  const outbox_bytes raw = outbox::Raw(std::string_view("1"));
  const Error missing = Caught([&] { ready.relay.writing().Requeue({&raw, 1}); });
  CHECK(missing.code == OUTBOX_BAD_CONFIG);
  CHECK(missing.sqlstate == "42P01");
  CHECK(std::string(missing.what()).find("{1}") == std::string::npos);
}

// By migrate and by the script that it prints, each twice.
TEST_CASE("tables of version 1 are refused, and upgraded without losing a row", "[postgres][b12]") {
  Fresh fresh;
  fresh.app(outbox::testing::kPostgresVersion1);
  const std::string state =
      "select concat_ws(' ', (select string_agg(e::text, ' ' order by id) from outbox_event e),"
      " (select string_agg(concat_ws(' ', row_id, event_id, aggregate_id, attempts, next_try, reason), ' ' order by "
      "row_id) from outbox_retry),"
      " (select string_agg(concat_ws(' ', row_id, event_id, payload, attempts), ' ') from outbox_dead), (select "
      "string_agg(concat_ws(' ', relay_id, expires), ' ') from outbox_relay),"
      " (select string_agg(concat_ws(' ', shard, owner, token, state, suspect), ' ') from outbox_shard))";
  const std::string before = fresh.app(state);
  CHECK(before.find("INVALID_RECORD") != std::string::npos);
  Relay relay(Configured());
  for (const Error& error : {Caught([&] { relay.Heartbeat(); }), Caught([&] { relay.writing().ReadStats(); })}) {
    CHECK(error.code == OUTBOX_BAD_CONFIG);
    CHECK(std::string(error.what()).find("version 1") != std::string::npos);
    CHECK(std::string(error.what()).find("run: outbox-relay migrate") != std::string::npos);
  }
  CHECK_FALSE(relay.writing().CheckSchema().empty());
  const bool printed = GENERATE(false, true);
  for (int i = 0; i < 2; ++i) {
    if (printed)
      fresh.app(outbox::postgres::Adapter::PrintSchema(*Configured(), {}));
    else
      relay.writing().ApplySchema({});
    CHECK(fresh.app(state) == before);
    CHECK(fresh.app("select concat(version, ' ', outbox) from outbox_meta") == "2 outbox_event");
  }
  CHECK(fresh.app("select count(*) from pg_indexes where tablename like 'outbox\\_retry'") == "4");
  CHECK(relay.writing().CheckSchema().empty());
  CHECK(relay.Heartbeat().owned.empty());  // while the lease of before lasts
  relay.writing().ExpireLeases();
  relay.Heartbeat();
  CHECK(relay.token == 8);
  relay.writing().MakeRetriesDue();
  CHECK(outbox::testing::IdsOf(relay.Reserve()) == Ids{1, 3});
  relay.Confirm({1, 3});
  CHECK(relay.writing().ReadStats().blocked == 1);
}

TEST_CASE("a change of the payload's type is announced, and refused while events would be rewritten",
          "[postgres][b105]") {
  Ready ready;
  ready.app.Insert("k", R"({"a": 1, "a": 2})");
  const outbox::SchemaOptions wish{0, "jsonb"};
  const auto changes = ready.relay.writing().PlanSchema(wish);
  REQUIRE(changes.size() == 2);
  CHECK(changes[0].find("outbox_event.payload from text to jsonb: rewrites 1 rows") != std::string::npos);
  CHECK(changes[0].find("bytes change") != std::string::npos);
  CHECK(changes[1].find("outbox_dead.payload from text to jsonb: rewrites 0 rows") != std::string::npos);
  const Error refused = Caught([&] { ready.relay.writing().ApplySchema(wish); });
  CHECK(refused.code == OUTBOX_BAD_CONFIG);
  CHECK(std::string(refused.what()).find("--rewrite-events") != std::string::npos);
  CHECK(ready.app("select payload from outbox_event") == R"({"a": 1, "a": 2})");

  // A dead letter alone is enough.
  const Ids ids = IdsOf(ready.relay.Reserve());
  ready.relay.Fail(ids.at(0), Disposition::kDead);
  CHECK(Caught([&] { ready.relay.writing().ApplySchema(wish); }).code == OUTBOX_BAD_CONFIG);
  CHECK(ready.app("select payload from outbox_dead") == R"({"a": 1, "a": 2})");
  ready.relay.writing().ApplySchema({0, "jsonb", false, true});
  CHECK(ready.app("select payload from outbox_dead") == R"({"a": 2})");
  CHECK(ready.relay.writing().PlanSchema(wish).empty());
}

// Each change needs a lock that the open transaction does not leave. An insert must not wait behind it, and the change is
// made as soon as the transaction ends.
TEST_CASE("migrate keeps no insert waiting behind a lock that it waits for", "[postgres][b105]") {
  Ready ready;
  struct Change {
    const char *before, *holder;
    outbox::SchemaOptions wish;
  };
  const auto change = GENERATE(values<Change>({
      {"select 1", "insert into outbox_event (topic, event_type) values ('orders', 'Placed')", {0, "", true}},
      {"select 1", "select count(*) from outbox_event", {0, "bytea"}},
      {"alter table outbox_meta drop column outbox", "select count(*) from outbox_meta", {}},
      {"drop index outbox_retry_turn", "delete from outbox_retry", {}},
  }));
  ready.app(change.before);
  Application holder;
  holder("begin");
  holder(change.holder);
  std::atomic<bool> migrated = false;
  Error error{OUTBOX_OK, ""};
  std::thread migrating([&] {
    outbox::postgres::Adapter adapter(Configured());
    adapter.Begin({0, 0, Millis(30'000)});
    error = Caught([&] { adapter.ApplySchema(change.wish); });
    migrated = true;
  });
  // Until it has waited and given up at least once.
  const auto waits = [&] {
    return ready.app("select count(*) from pg_locks where not granted and locktype = 'relation'") == "1";
  };
  for (int turns = 0; turns < 2; ++turns) {
    while (!migrated && !waits()) std::this_thread::sleep_for(Millis(1));
    const auto begun = Clock::now();
    ready.app("insert into outbox_event (topic, event_type) values ('orders', 'Placed')");
    CHECK(Clock::now() - begun < Millis(1500));
    while (!migrated && waits()) std::this_thread::sleep_for(Millis(1));
  }
  CHECK_FALSE(migrated);
  ready.app("delete from outbox_event");
  holder("rollback");
  migrating.join();
  INFO(error.what());
  CHECK(error.code == OUTBOX_OK);
  CHECK(ready.relay.writing().PlanSchema(change.wish).empty());
}

TEST_CASE("a migrate that gets no lock says who has it, and changes nothing", "[postgres][b105]") {
  Ready ready;
  Application holder;
  holder("set application_name = 'holder'; begin; lock table outbox_event");
  const Error error = Caught([&] { ready.relay.writing().ApplySchema({0, "", true}); });
  holder("rollback");
  CHECK(error.code == OUTBOX_TIMEOUT);
  CHECK(std::string(error.what()).find("(holder)") != std::string::npos);
  CHECK(ready.app("select count(*) from pg_trigger where tgname = 'outbox_wake_up'") == "0");
}

// A tenant's schema in front, with tables, functions and operators of the same names, and temporary tables before all.
TEST_CASE("no search path and no temporary table leads events elsewhere", "[postgres][b100]") {
  Fresh fresh;
  fresh.app("drop schema if exists tenant cascade; create schema tenant");
  Relay relay(Configured());
  relay.writing().ApplySchema({0, "", true});
  const std::string hostile = GENERATE(as<std::string>(), "tenant", "temporary", "both");
  Application app;
  for (const char* table : {"event", "retry", "dead", "relay", "shard", "meta"}) {
    const std::string like = std::string("outbox_") + table + " (like public.outbox_" + table + " including all)";
    if (hostile != "temporary") app("create table tenant." + like);
    if (hostile != "tenant") app("create temporary table " + like);
  }
  app("create function tenant.pg_notify(text, text) returns void language sql as 'select 1/0';"
      " create function tenant.boom(text, oid) returns text language sql as 'select cast(1/0 as text)';"
      " create operator tenant.|| (function = tenant.boom, leftarg = text, rightarg = oid)");
  app("set search_path = tenant, pg_catalog, public");
  app("select public.outbox_emit('orders', 'k', 'Placed', 'p', '{}')");
  CHECK(app("select count(*) from public.outbox_event") == "1");
  CHECK(app("select count(*) from outbox_event") == "0");

  // The relay's own sessions, where the role's path finds the tenant's tables once they are open, and printed SQL.
  relay.Heartbeat();
  CHECK(IdsOf(relay.Reserve()).size() == 1);
  if (hostile != "temporary") {
    Application guarded;
    guarded("set search_path = public, tenant");
    guarded(outbox::postgres::Adapter::PrintSchema(*Configured(), {0, "", true}));
    CHECK(guarded("select pg_get_functiondef('public.outbox_emit'::regproc)").find("into public.outbox_event") !=
          std::string::npos);
  }
  fresh.app("drop schema tenant cascade");
}

TEST_CASE("a table that is found behind the first schema of the path keeps its companions beside it",
          "[postgres][b100]") {
  Fresh fresh;
  fresh.app("drop schema if exists first cascade; create schema first");
  Relay(Configured()).writing().ApplySchema({});
  Relay relay(Configured(Server() + " options='-c search_path=first,public'"));
  CHECK(relay.writing().PlanSchema({}).empty());
  relay.writing().ApplySchema({});
  CHECK(fresh.app("select count(*) from pg_tables where schemaname = 'first'") == "0");
  CHECK(relay.Heartbeat().owned.size() == 1);
  Application printed;
  printed("set search_path = first, public");
  CHECK(printed.Try(outbox::postgres::Adapter::PrintSchema(*Configured(), {})).find("another schema") !=
        std::string::npos);
  printed("rollback; set search_path = public; create temporary table outbox_meta (version integer)");
  CHECK(printed.Try(outbox::postgres::Adapter::PrintSchema(*Configured(), {})).find("temporary tables") !=
        std::string::npos);
  fresh.app("drop schema first cascade");
}

TEST_CASE("a second outbox cannot share the companions of the first", "[postgres][b103]") {
  Fresh fresh;
  const bool suffixed = GENERATE(true, false);
  const std::string mine = suffixed ? "outbox_event" : "outbox", other = suffixed ? "outbox" : "outbox_event";
  Relay first(Configured(Server(), mine));
  first.writing().ApplySchema({});
  Relay second(Configured(Server(), other));
  const std::string before = fresh.app("select string_agg(xmin::text, ',' order by oid) from pg_class");
  const Error refused = Caught([&] { second.writing().ApplySchema({}); });
  CHECK(refused.code == OUTBOX_BAD_CONFIG);
  CHECK(std::string(refused.what()).find("\"" + mine + "\"") != std::string::npos);
  CHECK(std::string(refused.what()).find("another name") != std::string::npos);
  CHECK(fresh.app("select string_agg(xmin::text, ',' order by oid) from pg_class") == before);
  Application printed;
  CHECK(printed.Try(outbox::postgres::Adapter::PrintSchema(*Configured(Server(), other), {})).find(mine) !=
        std::string::npos);
  // Made by the application: the relay and check must refuse, too.
  fresh.app("create table \"" + other + "\" (like \"" + mine + "\" including all)");
  for (const Error& error : {Caught([&] { second.Heartbeat(); }), Caught([&] { second.writing().ReadStats(); })})
    CHECK(error.code == OUTBOX_BAD_CONFIG);
  CHECK(Has(second.writing().CheckSchema(), "belong to the outbox \"" + mine + "\""));

  // Of version 1 it is not known whose they are. What the error names helps.
  fresh.app("update outbox_meta set version = 1; alter table outbox_meta drop column outbox");
  const std::string ambiguous = Caught([&] { first.writing().ApplySchema({}); }).what();
  const auto fix = ambiguous.find("alter table");
  REQUIRE(fix != std::string::npos);
  fresh.app(ambiguous.substr(fix));
  first.writing().ApplySchema({});
  first.Reconnect();
  CHECK(first.Heartbeat().owned.size() == 1);

  // Renamed as a whole, it is still one outbox.
  fresh.app("drop table \"" + other + "\"; alter table \"" + mine + "\" rename to \"" + other + "\"");
  second.writing().ApplySchema({});
  CHECK(second.writing().CheckSchema().empty());
}

TEST_CASE("tables of the application with the names of companions are listed and left alone", "[postgres][b103]") {
  Fresh fresh;
  fresh.app("create table outbox_retry (id integer); create view outbox_dead as select 1 as x");
  Relay relay(Configured());
  const std::string text = Caught([&] { relay.writing().ApplySchema({}); }).what();
  CHECK(text.find("\"outbox_retry\" lacks the columns row_id") != std::string::npos);
  CHECK(text.find("\"outbox_dead\" is not a table") != std::string::npos);
  CHECK(fresh.app("select count(*) from pg_class where relname like 'outbox%'") == "2");
}
