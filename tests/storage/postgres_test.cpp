// Tests of rows, specific to PostgreSQL: rows that commit late, plans, dead rows and column types.
#include <algorithm>

#include "server.hpp"

namespace outbox::testing {
namespace {

TEST_CASE("a batch is nearly full although most rows belong to other shards", "[postgres]") {
  Ready ready({8, ""});
  ready.app(
      "insert into outbox_event (topic, aggregate_id, event_type) select 'orders', 'k' || i % 400, 'Placed'"
      " from generate_series(1, 8000) i");
  std::vector<std::size_t> sizes;
  do {
    sizes.push_back(ready.relay.Reserve(100).size());
  } while (ready.relay.more);
  REQUIRE(sizes.size() > 8);
  // From the first four reads the relay learns which fraction of the rows belongs to its shard.
  CHECK(*std::min_element(sizes.begin() + 4, sizes.end() - 2) > 60);
}

TEST_CASE("an id that was drawn before its transaction had a number is not lost", "[postgres][b38]") {
  Ready ready;
  Application late;
  // An INSERT whose trigger is slow takes the same steps: first the lock, next the id, and last a transaction id.
  late("begin; lock table outbox_event in row exclusive mode");
  const std::string id = late("select nextval(pg_get_serial_sequence('outbox_event', 'id'))");
  const long long other = ready.app.Insert("a");
  CHECK(IdsOf(ready.relay.Reserve()) == Ids{other});
  for (int i = 0; i < 5; ++i) CHECK(ready.relay.Reserve().empty());
  late("insert into outbox_event (id, topic, event_type) values (" + id + ", 'orders', 'Placed'); commit");
  CHECK(IdsOf(ready.relay.Reserve()) == Ids{std::stoll(id)});
}

TEST_CASE("while a writer stays open for a long time, no row is lost or overtaken", "[postgres][b38]") {
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

TEST_CASE("plans made while the table was empty are good when it is full", "[postgres][b32]") {
  Ready ready;
  CHECK(ready.relay.Reserve().empty());
  ready.relay.Confirm({1});
  ready.app(
      "insert into outbox_event (topic, aggregate_id, event_type, payload) select 'orders', 'k' || i, 'Placed',"
      " repeat('x', 100) from generate_series(1, 200000) i");
  // If each read and its confirm scan the table, they take more than a second; with the index they take a few
  // milliseconds.
  const auto begun = Clock::now();
  for (int i = 0; i < 40; ++i) ready.relay.Confirm(IdsOf(ready.relay.Reserve()));
  CHECK(Clock::now() - begun < std::chrono::seconds(10));
  // The server's statistics show that the relay does not scan the table.
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

// Makes two reads, as a relay with a backlog does, and returns the ids of the second read. The second read contains
// only new rows, each with its physical position in the table (ctid).
Ids ReadPlaces(Ready& ready) {
  ready.app(
      "insert into outbox_event (topic, aggregate_id, event_type, payload) select 'orders', 'k' || i, 'Placed',"
      " repeat('x', 100) from generate_series(1, 3000) i");
  ready.relay.Confirm(IdsOf(ready.relay.Reserve()));
  return IdsOf(ready.relay.Reserve());
}

TEST_CASE("a confirm finds rows at the places where they were read", "[postgres]") {
  Ready ready;
  const Ids ids = ReadPlaces(ready);
  REQUIRE(ids.size() == 1000);
  const auto searches = [&ready] {
    ready.relay.Reconnect();  // The counts of a session become visible when it has ended.
    return std::stoll(
        ready.app("select pg_sleep(1.5); select idx_scan from pg_stat_user_indexes where indexrelname ="
                  " 'outbox_event_pkey'"));
  };
  const long long before = searches();
  ready.relay.Confirm(ids);
  CHECK(searches() - before < 100);
  CHECK(ready.app("select count(*) from outbox_event") == "1000");
}

TEST_CASE("rows that have moved since they were read are also removed", "[postgres]") {
  Ready ready;
  if (GENERATE(false, true)) {
    ready.app("create table part () inherits (outbox_event)");
    ready.relay.Reconnect();
  }
  const Ids ids = ReadPlaces(ready);
  REQUIRE(ids.size() == 1000);
  const auto moved =
      GENERATE("update outbox_event set event_type = 'Moved' where id % 2 = 0", "vacuum full outbox_event");
  ready.app(moved);
  ready.relay.Confirm(ids);
  CHECK(ready.app("select count(*) from outbox_event") == "1000");
}

TEST_CASE("a row is not mistaken for another one that had its place before", "[postgres]") {
  Ready ready;
  const Ids ids = ReadPlaces(ready);
  REQUIRE(ids.size() == 1000);
  const std::string one = std::to_string(ids[500]);
  const std::string place = ready.app("select ctid from outbox_event where id = " + one),
                    event = ready.app("delete from outbox_event where id = " + one + " returning event_id");
  ready.app("vacuum outbox_event");
  ready.app("insert into outbox_event (event_id, topic, event_type) select '" + event +
            "', 'orders', 'Placed' from generate_series(1, 20000)");
  REQUIRE(ready.app("select count(*) from outbox_event where ctid = '" + place + "'") == "1");
  ready.relay.Confirm({ids[500]});
  CHECK(ready.app("select count(*) from outbox_event where event_id = '" + event + "'") == "20000");
}

TEST_CASE("deleted rows before the oldest one cost nothing once the position is past them", "[postgres][b35]") {
  Ready ready;
  Application holder;
  holder("begin isolation level repeatable read; select 1");  // The open snapshot keeps every deleted row in the table.
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
  CHECK(quiet < 25 * (Clock::now() - rewind));  // A rewind reads past all deleted rows.
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

TEST_CASE("a payload that the column cannot hold is refused with a fix that works", "[postgres]") {
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

TEST_CASE("a table that the application created with another payload type is accepted unchanged", "[postgres]") {
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
  CHECK(Requeue(relay, ids[0]) == 1);
  CHECK(relay.Reserve().at(0).payload == std::string("\0\xff", 2));
}

}  // namespace
}  // namespace outbox::testing
