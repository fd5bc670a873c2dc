// Tests of rows and relays for every database server: batches, failures, leases, and sessions that end.
#include <future>
#include <map>
#include <set>

#include "server.hpp"

namespace outbox::testing {
namespace {

TEST_CASE("batches are limited in rows and in bytes, and more is set if rows are left", "[server]") {
  Ready ready;
  for (int i = 0; i < 6; ++i) ready.app.Insert("k" + std::to_string(i), std::string(1000, 'x'));
  CHECK(ready.relay.Reserve(2).size() == 2);
  CHECK(ready.relay.more);
  CHECK(ready.relay.Reserve(10, 2100).size() == 2);
  CHECK(ready.relay.more);
  CHECK(ready.relay.Reserve(10, 10).size() == 1);  // At least one row is read, whatever the byte limit is.
  CHECK(ready.relay.more);
  CHECK(ready.relay.Reserve(1).size() == 1);  // The limit of one row is reached, and no row is left.
  CHECK_FALSE(ready.relay.more);
  // All rows are outstanding, so a rewind skips them.
  CHECK(ready.relay.Reserve(2, 1500, true).empty());
  CHECK_FALSE(ready.relay.more);
}

TEST_CASE("events are inserted in order, with and without ids of their own", "[server]") {
  Ready ready;
  std::vector<std::string> keys;
  for (int i = 0; i < 3000; ++i) keys.push_back(std::to_string(i));
  const std::string large(1000, 'x');  // MySQL needs several statements for events of this size.
  std::vector<Event> events;
  for (const auto& key : keys) events.push_back(Simple(key, large));
  events[5].event_id = "00000000-0000-0000-0000-000000000005";
  events[7].headers = R"({"a": "1"})";
  events[8].aggregate_id.reset();
  ready.relay.Emit(events, false);
  CHECK(ready.relay.Reserve().empty());
  ready.relay.Emit(events);
  const auto got = ready.relay.Reserve(5000);
  REQUIRE(got.size() == keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (i != 8) CHECK(got[i].key == keys[i]);
  CHECK(got[5].event_id == events[5].event_id);
  CHECK(got[6].event_id.size() == 36);
  CHECK(got[7].headers == R"({"a": "1"})");
  CHECK_FALSE(got[8].key);
}

TEST_CASE("failed events hold their key, are retried by themselves, and end as dead letters", "[server]") {
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
    // The row is below the reading position now, and the read is not a rewind.
    const auto due = relay.Reserve();
    REQUIRE(IdsOf(due) == Ids{a1});
    CHECK(due[0].attempts == static_cast<std::uint32_t>(i + 1));
    relay.Fail(a1, Disposition::kRetry);
  }
  CHECK(relay.writing().ReadStats().retrying == 1);
  ready.app("update outbox_retry set attempts = 0");
  const auto set_back = relay.Reserve();
  REQUIRE(IdsOf(set_back) == Ids{a1});
  // The adapter reports at least one attempt, because the relay rescans for skipped rows of the key only if the row has
  // attempts.
  CHECK(set_back[0].attempts == 1);
  ready.app("update outbox_retry set attempts = 4");
  relay.Fail(a1, Disposition::kDead, Millis(0), "too \xff large");
  CHECK(ready.app("select count(*) from outbox_retry") == "0");
  CHECK(ready.app("select concat(reason, ' ', error, ' ', attempts) from outbox_dead") == "test too ? large 5");
  CHECK(IdsOf(relay.Reserve(10, 1000, true)) == Ids{a2});
  relay.Confirm({a2});
  CHECK(Requeue(relay, a1) == 1);
  CHECK(Requeue(relay, a1) == 0);
  CHECK(relay.Reserve().size() == 1);
}

TEST_CASE("a failure whose row is gone holds back no key, nor does one from before TRUNCATE", "[server][b94]") {
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
  ready.app(Database::kTruncate);
  CHECK(ready.app.Insert("a") == a1);
  CHECK(IdsOf(relay.Reserve(10, 1000, true)) == Ids{a1});
}

TEST_CASE("a stale token changes nothing", "[server]") {
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

// The rows that relays have read. The payload of a row is its number, and each third row has no key.
struct Drained {
  // Reads all rows of a relay's shards, each shard from its lowest id on.
  void Drain(Relay& relay, const std::vector<outbox_owned_shard>& shards) {
    for (const auto& shard : shards) {
      relay.shard = shard.shard;
      relay.token = shard.token;
      long long last = 0;
      const std::size_t before = seen.size();
      do {
        for (const Taken& row : relay.Reserve(30)) {
          CHECK(row.id > last);
          last = row.id;
          Take(row, shard.shard);
        }
      } while (relay.more);
      CHECK(seen.size() > before);
    }
  }
  void Take(const Taken& row, std::uint32_t shard) {
    CHECK(seen.insert(row.id).second);
    CHECK(row.topic == "orders");
    CHECK(row.type == "Placed");
    CHECK(row.key.has_value() == (std::stoi(row.payload.value()) % 3 > 0));
    if (row.key) CHECK(shard_of.emplace(*row.key, shard).first->second == shard);
  }
  std::set<long long> seen;
  std::map<std::string, std::uint32_t> shard_of;
};

TEST_CASE("relays share the shards, and every row belongs to one shard", "[server][b34]") {
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
      "insert into outbox_event (topic, aggregate_id, event_type, payload)"
      " select 'orders', case when g % 3 > 0 then concat('k', g % 50) end, 'Placed', concat(g, '') from " +
      Database::Numbers(2000) + " n");
  Drained drained;
  drained.Drain(ready.relay, mine);
  drained.Drain(other, theirs);
  CHECK(drained.seen.size() == 2000);

  other.writing().ReleaseShards("relay-2", {}, true);
  CHECK(ready.relay.Heartbeat().owned.size() == 8);
  CHECK(ready.relay.writing().ReadStats().shards_owned == 8);
}

TEST_CASE("a standby's heartbeat writes nothing, and an owner's heartbeat rarely writes", "[server][b36]") {
  Ready ready;
  Relay standby(Configured(), "relay-2");
  ready.relay.Heartbeat();
  const long long before = Database::Written(ready.app);
  CHECK(before > 0);
  for (int i = 0; i < 20; ++i) {
    CHECK(standby.Heartbeat().owned.empty());
    CHECK(ready.relay.Heartbeat().owned.size() == 1);
    CHECK(ready.relay.Reserve().empty());
  }
  CHECK(Database::Written(ready.app) == before);
}

TEST_CASE("cancel ends a wait, and the session goes on", "[server][b31]") {
  OneRead one;
  Application locker;
  locker("begin; select 1 from outbox_event for update");
  const auto begun = Clock::now();
  auto& adapter = one.relay.writing();
  auto waiting = std::async(std::launch::async, [&] { return one.Confirm(Millis(60'000)); });
  while (waiting.wait_for(std::chrono::milliseconds(5)) != std::future_status::ready) adapter.Cancel();
  CHECK(waiting.get() == OUTBOX_CANCELLED);
  CHECK(Clock::now() - begun < std::chrono::seconds(20));
  locker("commit");
  CHECK(one.Confirm(Millis(2000)) == OUTBOX_OK);
  CHECK(one.app("select count(*) from outbox_event") == "0");
}

TEST_CASE("a connection that the server ends", "[server][b26][b49]") {
  OneRead one;
  Database::EndSessions(one.app);
  CHECK(one.Confirm(Millis(2000)) == OUTBOX_UNAVAILABLE);
  CHECK(Caught([&] { one.relay.Reserve(); }).code == OUTBOX_UNAVAILABLE);
  one.relay.Reconnect();
  CHECK(one.relay.Reserve(10, 1000, true).empty());  // The row is still outstanding.
  one.relay.Confirm({one.id});
}

TEST_CASE("no error text shows a bound value", "[server]") {
  Ready ready;
  // The value must not appear as hexadecimal digits, either.
  const auto shows = [](const Error& error) {
    const std::string text = std::string(error.what()) + error.sqlstate;
    return text.find("SECRET") != std::string::npos || text.find("534543524554") != std::string::npos;
  };
  ready.app("alter table outbox_dead add check (error <> 'SECRET-TEXT')");
  const long long id = ready.app.Insert("SECRET-KEY", "SECRET-PAYLOAD");
  CHECK(ready.relay.Reserve().size() == 1);
  const Error error = Caught([&] { ready.relay.Fail(id, Disposition::kDead, Millis(0), "SECRET-TEXT"); });
  CHECK(error.code == OUTBOX_BAD_DATA);
  CHECK_FALSE(shows(error));
  ready.app("drop table outbox_dead");
  const Error missing = Caught([&] { Requeue(ready.relay, 1); });
  CHECK(missing.code == OUTBOX_BAD_CONFIG);
  CHECK(missing.sqlstate == Database::kNoSuchTable);
  CHECK(std::string(missing.what()).find("{1}") == std::string::npos);
}

}  // namespace
}  // namespace outbox::testing
