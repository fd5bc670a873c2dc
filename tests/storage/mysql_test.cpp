// What only MySQL and MariaDB can get wrong while rows move: ids that turn up late, locks, connections, keys, time.
#include <soci/soci.h>

#include <algorithm>
#include <future>
#include <map>
#include <span>
#include <sstream>
#include <thread>

#include "mysql/connect.hpp"
#include "mysql_rig.hpp"

namespace {

using namespace outbox::testing;
using outbox::Disposition;
using outbox::Error;
using outbox::Event;
using outbox::Millis;
using outbox::mysql::Visibility;
using Relay = MysqlRelay;

// Time enough to forget an id that nobody shows.
void OutlastPatience(Relay& relay) {
  for (const auto begun = Clock::now(); Clock::now() - begun < 2 * Visibility::kPatience;
       std::this_thread::sleep_for(Millis(50)))
    CHECK(relay.Reserve().empty());
}

}  // namespace

TEST_CASE("a row that commits late is met before the next one of its key", "[mysql][b38]") {
  Ready ready;
  Application late;
  const bool very = GENERATE(false, true);
  late("begin");
  const long long first = late.Insert("k");
  const Ids others{ready.app.Insert("a"), ready.app.Insert("b"), ready.app.Insert("c")};
  CHECK(IdsOf(ready.relay.Reserve()) == others);
  ready.relay.Confirm(others);
  for (int i = 0; i < 5; ++i) CHECK(ready.relay.Reserve().empty());
  if (very) OutlastPatience(ready.relay);
  late("commit");
  const long long second = ready.app.Insert("k");
  CHECK(Rest(ready.relay) == Ids{first, second});
}

// A snapshot of MariaDB may show a transaction and not the one that committed before it; when it does cannot be arranged.
// What it brings can: here a read is held up after its snapshot was made, and the earlier row commits meanwhile.
TEST_CASE("MariaDB: what turns up while rows are read goes first", "[mysql][b38]") {
  Ready ready;
  if (!ready.app.IsMariadb()) return;
  // Each row is read under a lock of ours. The relay refuses a view when it looks for one, so it has looked before.
  CHECK(ready.relay.Reserve().empty());
  ready.app(
      "rename table outbox_event to kept; create view outbox_event as select * from kept"
      " where get_lock('read', 30 + kept.id) = 1 and release_lock('read') = 1");
  const bool known = GENERATE(false, true);  // that the id is missing
  Application late;
  Ids before;
  if (known) before = {ready.app.Insert("a")};
  late("begin");
  const long long first = late.Insert("k");
  if (known) before.push_back(ready.app.Insert("b"));
  CHECK(IdsOf(ready.relay.Reserve()) == before);
  CHECK(ready.relay.Reserve().empty());  // it has looked for what is missing
  const long long second = ready.app.Insert("k");
  ready.app("select get_lock('read', 0)");
  auto read = std::async(std::launch::async, [&] { return IdsOf(ready.relay.Reserve()); });
  const auto held_up = [&] {
    return ready.app("select count(*) from information_schema.processlist where state = 'User lock'") == "1";
  };
  for (const auto begun = Clock::now(); !held_up() && Clock::now() - begun < std::chrono::seconds(10);)
    std::this_thread::sleep_for(Millis(5));
  REQUIRE(held_up());
  late("commit");
  ready.app("do release_lock('read')");
  Ids got = read.get();
  ready.app("drop view outbox_event; rename table kept to outbox_event");
  for (const long long id : Rest(ready.relay)) got.push_back(id);
  CHECK(got == Ids{first, second});
}

TEST_CASE("in a backlog, too, a row that turns up goes out before newer ones", "[mysql][b38]") {
  Ready ready;
  Application late;
  late("begin");
  const long long first = late.Insert("k");
  Ids newer;
  for (int i = 0; i < 7; ++i) newer.push_back(ready.app.Insert("k"));
  const std::span all(newer);
  CHECK(std::ranges::equal(IdsOf(ready.relay.Reserve(2)), all.subspan(0, 2)));
  CHECK(std::ranges::equal(IdsOf(ready.relay.Reserve(2)), all.subspan(2, 2)));  // behind, and reading new rows alone
  late("commit");
  CHECK(IdsOf(ready.relay.Reserve(2)).front() == first);
  CHECK(Rest(ready.relay).back() == newer.back());
}

// Another relay's deletes leave ids missing that nobody need wait for. Those of whoever is open are not among them.
TEST_CASE("beside a relay that is ahead, too, a row that turns up goes out before newer ones", "[mysql][b38]") {
  Ready ready({2, ""});
  ready.relay.shard = static_cast<std::uint32_t>(std::stoi(ready.app("select crc32('k') % 2")));
  ready.relay.Heartbeat();
  const std::string ours = "crc32(aggregate_id) % 2 = " + std::to_string(ready.relay.shard);
  const auto backlog = [&](long long above) {
    ready.app(
        "insert into outbox_event (topic, aggregate_id, event_type) with recursive n (i) as (select 1 union all"
        " select i + 1 from n where i < 600)"
        " select 'orders', if(i % 3 = 0, 'k', concat('k', i % 50)), 'Placed' from n");
    ready.app("delete from outbox_event where not (" + ours + ") and id % 2 = 0 and id > " + std::to_string(above));
  };
  backlog(0);
  Application late;
  late("begin");
  const long long first = late.Insert("k");
  backlog(first);
  Ids seen;
  for (int i = 0; i < 2; ++i) ReadOn(ready.relay, 20, seen);
  // From here on one look is enough for what was there.
  std::this_thread::sleep_for(Visibility::kPatience);
  while (seen.back() < first + 100) {
    ReadOn(ready.relay, 20, seen);
    REQUIRE(ready.relay.more);
  }
  late("commit");
  CheckTurnedUp(ready.relay, first, seen, ready.app("select count(*) from outbox_event where " + ours));
  CHECK(ready.relay.Reserve().empty());  // looks for what the last read has passed over
  const long long looks = ready.app.Counted("Com_set_option");
  OutlastPatience(ready.relay);
  CHECK(ready.app.Counted("Com_set_option") == looks);
}

TEST_CASE("ids that a slow statement has taken ahead are not lost", "[mysql]") {
  Ready ready;
  REQUIRE(ready.app("select @@innodb_autoinc_lock_mode") == "2");
  // Each row half of kPatience after the one before; SELECT takes ids in blocks of 1, 2, 4.
  const std::string pause = std::to_string(static_cast<double>(Visibility::kPatience.count()) / 2000);
  const std::string row = "'orders', 'k', concat('Placed', sleep(" + pause + "))";
  std::string rows;
  for (int i = 0; i < 7; ++i) rows += (i == 0 ? "(" : ", (") + row + ")";
  const std::string source = GENERATE("values", "select");
  Application bulk;
  auto statement = std::async(std::launch::async, [&] {
    return bulk.Try("insert into outbox_event (topic, aggregate_id, event_type) " +
                    (source == "values" ? "values " + rows
                                        : "with recursive n (i) as (select 1 union all select i + 1 from n where i < 7)"
                                          " select " +
                                              row + " from n"));
  });
  int others = 0;
  while (statement.wait_for(Millis(20)) != std::future_status::ready) {
    const long long id = ready.app.Insert("other");
    // The statement may end between the INSERT and the read.
    const Ids got = IdsOf(ready.relay.Reserve());
    if (got.size() > 1 || got != Ids{id}) break;
    ready.relay.Confirm({id});
    ++others;
  }
  CHECK(statement.get() == "");
  CHECK(others > 20);
  ready.app.Insert("k");
  (void)Rest(ready.relay);
  std::string read;
  for (const long long id : ready.relay.outstanding) read += (read.empty() ? "" : ",") + std::to_string(id);
  CHECK(ready.app("select group_concat(id order by id) from outbox_event") == read);
  CHECK(ready.relay.outstanding.size() >= 8);
}

TEST_CASE("a prepared transaction counts as open", "[mysql]") {
  Ready ready;
  Application late;
  late("xa start 'late'");
  const long long first = late.Insert("k");
  late("xa end 'late'; xa prepare 'late'");
  const long long other = ready.app.Insert("a");
  CHECK(IdsOf(ready.relay.Reserve()) == Ids{other});
  OutlastPatience(ready.relay);
  late("xa commit 'late'");
  const long long second = ready.app.Insert("k");
  CHECK(Rest(ready.relay) == Ids{first, second});
}

TEST_CASE("the id of a rollback holds nobody and is forgotten", "[mysql]") {
  Ready ready;
  ready.app("begin");
  ready.app.Insert("k");
  ready.app("rollback");
  const long long next = ready.app.Insert("k");
  CHECK(IdsOf(ready.relay.Reserve()) == Ids{next});
  // A look is a statement of its own, after a SET.
  const long long before = ready.app.Counted("Com_set_option");
  OutlastPatience(ready.relay);
  const long long looked = ready.app.Counted("Com_set_option");
  CHECK(looked > before);
  CHECK(looked - before < 10);
  OutlastPatience(ready.relay);
  CHECK(ready.app.Counted("Com_set_option") == looked);
}

TEST_CASE("what is confirmed waits for no row that others are inserting", "[mysql][b43]") {
  Ready ready;
  // Most of the table at once: a server that looks at the table's size would rather scan it.
  for (int i = 0; i < 20; ++i) ready.app.Insert("a");
  const long long second = ready.app.Insert("b"), third = ready.app.Insert("c");
  Application writer;
  writer("begin");
  writer.Insert("d");
  Ids all = IdsOf(ready.relay.Reserve());
  REQUIRE(all.size() == 22);
  all.resize(20);
  ready.relay.Confirm(all);
  ready.relay.Fail(second, Disposition::kRetry, Millis(60'000));
  ready.relay.Fail(third, Disposition::kDead);
  const std::string row = std::to_string(second);
  const outbox_bytes raw = outbox::Raw(row);
  CHECK(ready.relay.writing().RetryNow({&raw, 1}) == 1);
  ready.relay.Fail(second, Disposition::kBlock);
  CHECK(ready.relay.writing().DiscardBlocked({&raw, 1}) == 1);
  // Nor do the others wait for the relay: their own limit is short.
  Application other;
  other("set innodb_lock_wait_timeout = 1");
  other.Insert("b");
  writer("commit");
  CHECK(ready.app("select count(*) from outbox_event") == "2");
}

TEST_CASE("limits cut a batch by rows and by bytes, and more tells", "[mysql]") {
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

TEST_CASE("large rows are read without a connection for each read", "[mysql]") {
  Ready ready;
  for (int i = 0; i < 16; ++i)
    ready.app(
        "insert into outbox_event (topic, aggregate_id, event_type, payload) values ('orders', 'k', 'Placed',"
        " repeat('x', 3000000))");
  const long long before = ready.app.Counted("Connections");
  std::size_t rows = 0;
  int reads = 0;
  for (; rows < 16 && reads < 100; ++reads) {
    const auto events = ready.relay.Reserve(1000, 7 << 20);
    rows += events.size();
    ready.relay.Confirm(IdsOf(events));
  }
  CHECK(rows == 16);
  CHECK(reads >= 8);
  // One, as the first read cannot know how large they are.
  CHECK(ready.app.Counted("Connections") - before <= 2);
}

TEST_CASE("a row that commits late is met although much that is large lies behind it", "[mysql]") {
  Ready ready;
  Application late;
  late("begin");
  const long long first = late.Insert("k"), other = ready.app.Insert("other");
  CHECK(IdsOf(ready.relay.Reserve()) == Ids{other});
  for (int i = 0; i < 3; ++i)
    ready.app(
        "insert into outbox_event (topic, aggregate_id, event_type, payload) values ('orders', 'k', 'Placed',"
        " repeat('x', 5000000))");
  late("commit");
  Ids got;
  for (int i = 0; i < 20 && got.size() < 4; ++i)
    for (const long long id : IdsOf(ready.relay.Reserve())) got.push_back(id);
  REQUIRE(got.size() == 4);
  CHECK(got[0] == first);
}

TEST_CASE("a shard goes on where others' rows lie between more missing ids than one statement names", "[mysql]") {
  Ready ready({2, ""});
  // Of one key, so all of them are one shard's.
  ready.app("insert into outbox_event (topic, aggregate_id, event_type) values ('orders', 'k', 'Placed')");
  for (int i = 0; i < 16; ++i)
    ready.app(
        "insert into outbox_event (topic, aggregate_id, event_type) select topic, aggregate_id, event_type from"
        " outbox_event");
  ready.app("delete from outbox_event where id % 100 = 0");
  for (ready.relay.shard = 0; ready.relay.shard < 2; ++ready.relay.shard) {
    ready.relay.Heartbeat();
    if (ready.relay.Reserve(1).empty()) break;
    ready.relay.outstanding.clear();
  }
  REQUIRE(ready.relay.shard < 2);
  do REQUIRE(ready.relay.Reserve().empty());
  while (ready.relay.more);
  for (const char* key : {"a", "b", "c", "d", "e", "f"}) ready.app.Insert(key);
  CHECK_FALSE(ready.relay.Reserve().empty());
}

TEST_CASE("payloads in a column of the application's own type", "[mysql]") {
  const std::string type = GENERATE("json", "longtext", "blob", "varbinary(5000)");
  const bool bytes = type == "blob" || type == "varbinary(5000)";
  Ready ready(OutboxWith("varchar(255)", type));
  auto& relay = ready.relay;
  CHECK(relay.writing().CheckSchema().empty());
  ready.app.Insert("k", R"({"note": "ä"})");
  relay.Emit({Simple("k", bytes ? std::string_view("\0\xff\0", 3) : std::string_view(R"({"note": "ö"})"))});
  ready.app("call outbox_emit('orders', 'k', 'Placed', '{}', '{\"a\": \"1\"}')");
  ready.app("insert into outbox_event (topic, aggregate_id, event_type) values ('orders', '', 'Gone')");
  const auto events = relay.Reserve();
  REQUIRE(events.size() == 4);
  CHECK(events[0].payload == R"({"note": "ä"})");
  CHECK(events[1].payload == (bytes ? std::string("\0\xff\0", 3) : R"({"note": "ö"})"));
  CHECK(events[2].payload == "{}");
  CHECK(events[2].headers == R"({"a": "1"})");
  CHECK_FALSE(events[3].payload);
  CHECK(events[3].key == "");

  relay.Fail(events[1].id, Disposition::kDead);
  const std::string row = std::to_string(events[1].id);
  const outbox_bytes raw = outbox::Raw(row);
  CHECK(relay.writing().Requeue({&raw, 1}) == 1);
  CHECK(relay.Reserve().at(0).payload == events[1].payload);
}

TEST_CASE("events are inserted in order, with and without ids of their own", "[mysql]") {
  Ready ready;
  std::vector<std::string> keys;
  for (int i = 0; i < 3000; ++i) keys.push_back(std::to_string(i));
  const std::string large(1000, 'x');  // several statements
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

TEST_CASE("failures hold their key, come back by themselves, and end as dead letters", "[mysql]") {
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
  CHECK(ready.app("select concat(reason, ' ', error, ' ', attempts) from outbox_dead") == "test too ? large 5");
  CHECK(IdsOf(relay.Reserve(10, 1000, true)) == Ids{a2});
  relay.Confirm({a2});

  const std::string row = std::to_string(a1);
  const outbox_bytes raw = outbox::Raw(row);
  CHECK(relay.writing().Requeue({&raw, 1}) == 1);
  CHECK(relay.writing().Requeue({&raw, 1}) == 0);
  CHECK(relay.Reserve().size() == 1);
}

TEST_CASE("a failure whose row is gone keeps nobody back, nor does one from before TRUNCATE", "[mysql][b94]") {
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
  ready.app("truncate outbox_event");
  CHECK(ready.app.Insert("a") == a1);
  CHECK(IdsOf(relay.Reserve(10, 1000, true)) == Ids{a1});
}

TEST_CASE("keys differ by every byte, whatever the application's column says of them", "[mysql][b53]") {
  const std::string column = GENERATE("varchar(255) character set utf8mb4 collate utf8mb4_general_ci",
                                      "varchar(255) character set latin1 collate latin1_swedish_ci");
  INFO(column);
  Ready ready(OutboxWith(column, "longtext"));
  auto& relay = ready.relay;
  const long long first = ready.app.Insert("Käse");
  const auto taken = relay.Reserve();
  REQUIRE(IdsOf(taken) == Ids{first});
  CHECK(taken[0].key == "Käse");
  relay.Fail(first, Disposition::kBlock);
  const Ids others{ready.app.Insert("käse"), ready.app.Insert("Käse "), ready.app.Insert("Kase")};
  ready.app.Insert("Käse");
  CHECK(IdsOf(relay.Reserve()) == others);
  CHECK(IdsOf(relay.Reserve(10, 1000, true)).empty());

  // Shards look at the key, too.
  relay.writing().ReleaseShards("relay-1", {}, true);
  relay.writing().ApplySchema({2, ""});
  Ids again;
  for (relay.shard = 0; relay.shard < 2; ++relay.shard) {
    relay.outstanding.clear();
    relay.Heartbeat();
    for (const long long id : IdsOf(relay.Reserve())) again.push_back(id);
  }
  std::sort(again.begin(), again.end());
  CHECK(again == others);
}

TEST_CASE("a stale token changes nothing", "[mysql]") {
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

TEST_CASE("relays share the shards, and every row has one of them", "[mysql][b34]") {
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
      "insert into outbox_event (topic, aggregate_id, event_type) with recursive n (i) as (select 1 union all select i"
      " + 1 from n where i < 500) select 'orders', if(i % 3 > 0, concat('k', i % 50), null), 'Placed' from n");
  std::set<long long> seen;
  std::map<std::string, std::uint32_t> shard_of;
  const auto drain = [&](Relay& relay, const std::vector<outbox_owned_shard>& shards) {
    for (const auto& shard : shards) {
      relay.shard = shard.shard;
      relay.token = shard.token;
      long long last = 0;
      const std::size_t before = seen.size();
      do {
        for (const Taken& event : relay.Reserve(10)) {
          CHECK(event.id > last);
          last = event.id;
          CHECK(seen.insert(event.id).second);
          if (event.key) CHECK(shard_of.emplace(*event.key, shard.shard).first->second == shard.shard);
        }
      } while (relay.more);
      CHECK(seen.size() > before);
    }
  };
  drain(ready.relay, mine);
  drain(other, theirs);
  CHECK(seen.size() == 500);

  other.writing().ReleaseShards("relay-2", {}, true);
  CHECK(ready.relay.Heartbeat().owned.size() == 8);
  CHECK(ready.relay.writing().ReadStats().shards_owned == 8);
}

TEST_CASE("a standby's look writes nothing, and an owner's seldom", "[mysql]") {
  Ready ready;
  Relay standby(Configured(), "relay-2");
  const auto written = [&] {
    long long sum = 0;
    for (const char* kind : {"insert", "update", "delete", "insert_select", "update_multi", "delete_multi", "replace"})
      sum += ready.app.Counted(std::string("Com_") + kind);
    return sum;
  };
  ready.relay.Heartbeat();
  const long long before = written();
  CHECK(before > 0);
  for (int i = 0; i < 20; ++i) {
    CHECK(standby.Heartbeat().owned.empty());
    CHECK(ready.relay.Heartbeat().owned.size() == 1);
    CHECK(ready.relay.Reserve().empty());
  }
  CHECK(written() == before);
}

TEST_CASE("locks and ends of the server", "[mysql][b44][b49]") {
  Ready ready;
  const long long id = ready.app.Insert("a");
  CHECK(ready.relay.Reserve().size() == 1);
  const std::string text = std::to_string(id);
  const std::string event = ready.relay.event_ids.at(id);
  const outbox_row row{outbox::Raw(text), outbox::Raw(event)};
  auto& adapter = ready.relay.writing();
  const auto confirm = [&](Millis timeout) {
    adapter.Begin({0, ready.relay.token, timeout});
    outbox::KeptRows kept(nullptr, 0);
    const Error answer = Caught([&] { adapter.ConfirmEvent({&row, 1}, kept); });
    UNSCOPED_INFO(answer.what());
    return answer.code;
  };

  SECTION("a locked row: the statement ends, the session lives, and the rows beside it go") {
    Application locker;
    locker("begin; select 1 from outbox_event where id = " + text + " for update");
    const long long before = ready.app.Counted("Connections");
    CHECK(confirm(Millis(2000)) == OUTBOX_REFUSED);
    // The rows beside it go, and once it is known, nobody waits for it.
    std::vector<long long> others;
    for (int i = 0; i < 100; ++i) others.push_back(ready.app.Insert("b" + std::to_string(i)));
    CHECK(ready.relay.Reserve().size() == 100);
    others.push_back(id);
    CHECK(Caught([&] { ready.relay.Confirm(others); }).code == OUTBOX_REFUSED);
    const auto begun = Clock::now();
    CHECK(Caught([&] { ready.relay.Confirm({others.at(0), id}); }).code == OUTBOX_REFUSED);
    CHECK(confirm(Millis(2000)) == OUTBOX_REFUSED);
    CHECK(Clock::now() - begun < std::chrono::milliseconds(900));
    others.pop_back();
    ready.relay.Confirm(others);
    CHECK(ready.app("select count(*) from outbox_event") == "1");
    const outbox_failure dead{row.row_id, row.event_id, outbox::Raw("test"), outbox::Raw("no"), 0, OUTBOX_DEAD, 0};
    CHECK(Caught([&] { adapter.ConfirmFailed({&dead, 1}); }).code == OUTBOX_TIMEOUT);
    locker("commit");
    CHECK(confirm(Millis(2000)) == OUTBOX_OK);
    CHECK(ready.app.Counted("Connections") == before);
    CHECK(ready.app("select (select count(*) from outbox_event) + (select count(*) from outbox_dead)") == "0");
  }
  SECTION("a locked table that a trigger writes to: no row is to blame") {
    Application locker;
    locker("create table removals (n bigint)");
    locker("insert into removals values (0)");
    locker("create trigger counts before delete on outbox_event for each row update removals set n = n + 1");
    locker("begin");
    locker("select 1 from removals for update");
    CHECK(confirm(Millis(10'000)) == OUTBOX_TIMEOUT);
    locker("commit");
    CHECK(confirm(Millis(6000)) == OUTBOX_OK);
    locker("drop table removals");
  }
  SECTION("cancel ends a wait, and the session goes on") {
    Application locker;
    locker("begin; select 1 from outbox_event for update");
    const auto begun = Clock::now();
    auto waiting = std::async(std::launch::async, [&] { return confirm(Millis(60'000)); });
    while (waiting.wait_for(std::chrono::milliseconds(5)) != std::future_status::ready) adapter.Cancel();
    CHECK(waiting.get() == OUTBOX_CANCELLED);
    CHECK(Clock::now() - begun < std::chrono::seconds(20));
    locker("commit");
    CHECK(confirm(Millis(2000)) == OUTBOX_OK);
    CHECK(ready.app("select count(*) from outbox_event") == "0");
  }
  SECTION("a connection that the server ends") {
    ready.app("set session group_concat_max_len = 100000");
    std::istringstream sessions(
        ready.app("select group_concat(id separator ' ') from information_schema.processlist where db = database() and"
                  " id <> connection_id()"));
    for (std::string session; sessions >> session;) (void)ready.app.Try("kill " + session);
    CHECK(confirm(Millis(2000)) == OUTBOX_UNAVAILABLE);
    CHECK(Caught([&] { ready.relay.Reserve(); }).code == OUTBOX_UNAVAILABLE);
    ready.relay.Reconnect();
    CHECK(ready.relay.Reserve(10, 1000, true).empty());  // still in hand
    ready.relay.Confirm({id});
  }
}

TEST_CASE("a server that is read-only can come back", "[mysql][b51]") {
  Ready ready;
  const long long id = ready.app.Insert("a");
  ready.app("drop user if exists mover; create user mover identified by 'm'; grant all on `" +
            std::string(Server().at("database")) + "`.* to mover");
  Relay mover(Configured({{"user", "mover"}, {"password", "m"}}));
  mover.Heartbeat();
  CHECK(IdsOf(mover.Reserve()) == Ids{id});
  ready.app("set global read_only = on");
  const Error error = Caught([&] { mover.Confirm({id}); });
  const Error checked = Caught([&] { (void)mover.writing().CheckSchema(); });
  const long long later = ready.app.Insert("b");
  const Error read = Caught([&] { (void)mover.Reserve(); });
  Relay administrator(Configured(), "relay-1");
  administrator.token = mover.token;
  const auto handed = IdsOf(administrator.Reserve());
  ready.app("set global read_only = off");
  CHECK(error.code == OUTBOX_UNAVAILABLE);
  // Nothing is handed out that could not be confirmed, and a relay that starts now waits.
  CHECK(checked.code == OUTBOX_UNAVAILABLE);
  CHECK(read.code == OUTBOX_UNAVAILABLE);
  // Unless its user may write all the same.
  CHECK(handed == Ids{id, later});
  mover.Confirm({id});
  CHECK(IdsOf(mover.Reserve()) == Ids{later});
  ready.app("drop user mover");
}

TEST_CASE("a connection that cannot be made says whose fault it is, and never the password", "[mysql]") {
  const auto failure = [](const Json& instead) {
    const Error error = Caught([&] { outbox::mysql::Adapter adapter(Configured(instead), {0, 0, Millis(5000)}); });
    INFO(error.what());
    CHECK(std::string(error.what()).find("hunter2") == std::string::npos);
    CHECK(std::string(error.what()).find(std::string(Server().at("password"))) == std::string::npos);
    return error;
  };
  CHECK(failure({{"port", 1}, {"password", "hunter2"}}).code == OUTBOX_UNAVAILABLE);
  CHECK(failure({{"database", "nowhere"}}).code == OUTBOX_BAD_CONFIG);
  CHECK(failure({{"password", "hunter2"}}).code == OUTBOX_BAD_CONFIG);
  CHECK(failure({{"user", "nobody"}}).code == OUTBOX_BAD_CONFIG);
  CHECK(failure({{"passwd", "hunter2"}}).code == OUTBOX_BAD_CONFIG);
  // MariaDB has no TLS, and MySQL's certificate is its own.
  const Error tls = failure({{"tls", Application().IsMariadb() ? "require" : "verify"}});
  CHECK(tls.code == OUTBOX_BAD_CONFIG);
  CHECK(std::string(tls.what()).find("'tls'") != std::string::npos);
}

TEST_CASE("what is to be encrypted is", "[mysql]") {
  if (Application().IsMariadb()) return;  // this one has no TLS
  const auto cipher = [](const char* tls) {
    auto connected = outbox::mysql::Connect(Configured({{"tls", tls}})->CurrentOptions(), Millis(5000));
    return outbox::sql::RunBySoci(*connected.session, {"show session status like 'Ssl_cipher'", {}}).at(0).at(1);
  };
  CHECK(cipher("require").value_or("") != "");
  CHECK(cipher("off").value_or("") == "");
  Fresh fresh;
  Relay relay(Configured({{"tls", "require"}}));
  relay.writing().ApplySchema({});
  relay.Heartbeat();
  relay.Emit({Simple("k")});
  CHECK(relay.Reserve().size() == 1);
}

TEST_CASE("many rows that wait are passed in pieces, and not again", "[mysql]") {
  Ready ready;
  const long long head = ready.app.Insert("k");
  CHECK(ready.relay.Reserve(1).size() == 1);
  ready.relay.Fail(head, Disposition::kBlock);
  ready.app("insert into outbox_event (topic, aggregate_id, event_type) values ('orders', 'k', 'Placed')");
  for (int i = 0; i < 16; ++i)
    ready.app(
        "insert into outbox_event (topic, aggregate_id, event_type) select topic, aggregate_id, event_type from"
        " outbox_event");
  const long long other = ready.app.Insert("other");
  Ids ids;
  for (int i = 0; i < 1000 && ids.empty(); ++i) {
    ids = IdsOf(ready.relay.Reserve(10));
    CHECK((ready.relay.more || !ids.empty()));
  }
  CHECK(ids == Ids{other});
  OutlastPatience(ready.relay);
  const auto begun = Clock::now();
  for (int i = 0; i < 20; ++i) CHECK(ready.relay.Reserve().empty());
  CHECK(Clock::now() - begun < std::chrono::seconds(2));
}

TEST_CASE("times are right where the server has another zone", "[mysql][b53]") {
  Application().operator()("set global time_zone = '+05:30'");
  {
    Ready ready;
    REQUIRE(ready.app("select @@session.time_zone") == "+05:30");
    ready.app.Insert("a");
    ready.app(
        "insert into outbox_event (topic, aggregate_id, event_type, created_at) values ('orders', 'a', 'Placed',"
        " '2024-05-06 12:38:09.5')");
    const auto events = ready.relay.Reserve();
    REQUIRE(events.size() == 2);
    const auto now = std::chrono::system_clock::now().time_since_epoch() / std::chrono::microseconds(1);
    CHECK(std::abs(events[0].created_us - now) < 60'000'000);
    CHECK(events[1].created_us == 1714979289'500000);
    const Millis oldest(now / 1000 - 1714979289'500);
    CHECK(abs(ready.relay.writing().ReadStats().oldest_age - oldest) < Millis(60'000));

    Relay other(Configured(), "relay-2");
    CHECK(other.Heartbeat().owned.empty());
    const Millis left = ready.relay.writing().ReadStats().holders.at(0).expires_in;
    CHECK(left > Millis(30'000));
    CHECK(left <= Millis(60'000));
    ready.relay.Fail(events[0].id, Disposition::kRetry, Millis(60'000));
    CHECK(ready.relay.Reserve().empty());
    CHECK(ready.app("select timestampdiff(second, now(6), next_try) between 30 and 60 from outbox_retry") == "1");
    ready.relay.writing().ExpireLeases();
    CHECK(other.Heartbeat().owned.size() == 1);
  }
  Application().operator()("set global time_zone = 'SYSTEM'");
}

TEST_CASE("no error text shows what was bound", "[mysql]") {
  Ready ready;
  const auto shown = [](const Error& error) { return std::string(error.what()) + error.sqlstate; };
  std::vector<Error> errors;
  ready.app("alter table outbox_dead add check (error <> 'SECRET-TEXT')");
  const long long id = ready.app.Insert("SECRET-KEY", "SECRET-PAYLOAD");
  CHECK(ready.relay.Reserve().size() == 1);
  errors.push_back(Caught([&] { ready.relay.Fail(id, Disposition::kDead, Millis(0), "SECRET-TEXT"); }));
  CHECK(errors.back().code == OUTBOX_BAD_DATA);
  const auto emit = [&](const Event& event) {
    errors.push_back(Caught([&] { ready.relay.Emit({event}); }));
    INFO(errors.back().what());
    CHECK(errors.back().code == OUTBOX_BAD_DATA);
    ready.relay.writing().EndEmit(false);
  };
  emit(Simple("\xffSECRET"));
  emit(Simple(std::string(256, 'x') + "SECRET"));
  Event headers = Simple("k");
  headers.headers = R"({"a": SECRET})";
  emit(headers);
  ready.app("delete from outbox_event; alter table outbox_event modify payload json");
  emit(Simple("k", "{SECRET: 1}"));
  emit(Simple("k", "\xffSECRET"));
  ready.app("alter table outbox_event modify payload varchar(3)");
  emit(Simple("k", "SECRET"));
  ready.app("alter table outbox_event add unique index (event_id)");
  ready.relay.writing().EndEmit(false);
  Event twice = Simple("k", "{}");
  twice.event_id = "SECRET";
  ready.relay.Emit({twice});
  emit(twice);

  const outbox::sql::Tables tables("outbox_event", '`');
  outbox::mysql::Client client(outbox::mysql::Connect(Configured()->CurrentOptions(), Millis(5000)), tables);
  client.Begin(Millis(5000));
  for (const char* sql : {"selec :value", "select :value from", "select * from outbox_event where id in (:value",
                          "insert into outbox_event (id) values (:value)", "select cast(:value as json) from nowhere",
                          "update outbox_event set created_at = :value", "select (select :value union select 2)"})
    for (const char* value : {"SECRET", "it's SECRET", "SE' for key", "\"SECRET\" for '", "\xff'SECRET"}) {
      errors.push_back(Caught([&] { client.Run({sql, {value}}); }));
      INFO(sql);
      CHECK(errors.back().code != OUTBOX_OK);
    }
  for (const Error& error : errors) {
    INFO(shown(error));
    for (const char* part : {"SECRET", "SE'", "534543524554"}) CHECK(shown(error).find(part) == std::string::npos);
  }
  const outbox_bytes raw = outbox::Raw(std::string_view("1"));
  ready.app("drop table outbox_dead");
  const Error missing = Caught([&] { ready.relay.writing().Requeue({&raw, 1}); });
  CHECK(missing.code == OUTBOX_BAD_CONFIG);
  CHECK(missing.sqlstate == "42S02");
}
