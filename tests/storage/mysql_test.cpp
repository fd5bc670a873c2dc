// Tests of rows, specific to MySQL and MariaDB: rows that commit late, large rows, column types and keys.
#include <algorithm>
#include <future>
#include <thread>

#include "server.hpp"

namespace outbox::testing {
namespace {

// A snapshot of MariaDB may show a transaction without showing one that committed before it. The test cannot cause such
// a snapshot, but it causes the same effect: a read is held up after its snapshot was made, and the earlier row commits
// in the meantime.
TEST_CASE("MariaDB: a row that appears while rows are read goes first", "[mysql][b38]") {
  Ready ready;
  if (!ready.app.IsMariadb()) return;
  // A view with the name of the table makes each read of a row wait for a lock that the test can hold. The relay
  // refuses a view when it checks the table, so this first read makes that check before the view is created.
  CHECK(ready.relay.Reserve().empty());
  ready.app(
      "rename table outbox_event to kept; create view outbox_event as select * from kept"
      " where get_lock('read', 30 + kept.id) = 1 and release_lock('read') = 1");
  const bool known = GENERATE(false, true);  // True if the relay knows that the id is missing.
  Application late;
  Ids before;
  if (known) before = {ready.app.Insert("a")};
  late("begin");
  const long long first = late.Insert("k");
  if (known) before.push_back(ready.app.Insert("b"));
  CHECK(IdsOf(ready.relay.Reserve()) == before);
  CHECK(ready.relay.Reserve().empty());  // The relay has checked the missing ids.
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

TEST_CASE("ids that a slow statement has taken in advance are not lost", "[mysql]") {
  Ready ready;
  REQUIRE(ready.app("select @@innodb_autoinc_lock_mode") == "2");
  // Each row is inserted half of kPatience after the previous one. An INSERT ... SELECT takes ids in blocks of 1, 2 and
  // 4.
  const std::string pause = std::to_string(static_cast<double>(Database::kPatience.count()) / 2000);
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
    // The bulk statement may end between the INSERT of `id` and the read.
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

TEST_CASE("the id of a rollback delays nobody and is forgotten", "[mysql]") {
  Ready ready;
  ready.app("begin");
  ready.app.Insert("k");
  ready.app("rollback");
  const long long next = ready.app.Insert("k");
  CHECK(IdsOf(ready.relay.Reserve()) == Ids{next});
  // The relay checks missing ids in a separate statement that follows a SET statement, so the number of SET statements
  // shows whether the relay still checks ids.
  const long long before = ready.app.Counted("Com_set_option");
  Database::OutlastPatience(ready.relay);
  const long long looked = ready.app.Counted("Com_set_option");
  CHECK(looked > before);
  CHECK(looked - before < 10);
  Database::OutlastPatience(ready.relay);
  CHECK(ready.app.Counted("Com_set_option") == looked);
}

TEST_CASE("a confirm does not wait for rows that others are inserting", "[mysql][b43]") {
  Ready ready;
  // The confirm names most rows of the table, and servers prefer to scan a table of this size.
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
  const outbox_row_id raw = Raw(RowId(second));
  CHECK(ready.relay.writing().RetryNow({&raw, 1}) == 1);
  ready.relay.Fail(second, Disposition::kBlock);
  CHECK(ready.relay.writing().DiscardBlocked({&raw, 1}) == 1);
  // Other writers do not wait for the relay, either: the lock timeout of `other` is one second.
  Application other;
  other("set innodb_lock_wait_timeout = 1");
  other.Insert("b");
  writer("commit");
  CHECK(ready.app("select count(*) from outbox_event") == "2");
}

// The removed rows are most of the rows of a small table. A server scans such a table for a condition with "in (...)".
TEST_CASE("removed rows are forgotten without waiting for locks on the records of other rows", "[mysql][b43][b98]") {
  Ready ready;
  for (int i = 0; i < 10; ++i) (void)ready.app.Insert("a");
  ready.app(
      "insert into outbox_retry (row_id, event_id, attempts, remove_at, reason, error) select id, event_id, 1,"
      " if(id < 10, now(), null), '', '' from outbox_event");
  ready.app("delete from outbox_event");
  Application other;
  other("begin; select error from outbox_retry where row_id = 10 for update");
  const auto begun = Clock::now();
  CHECK(ready.relay.writing().RemoveDelivered({nullptr, 0, 0}, Millis(1000)) == 9);
  CHECK(Clock::now() - begun < std::chrono::seconds(1));
  CHECK(ready.app("select group_concat(row_id) from outbox_retry") == "10");
  other("rollback");
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
  // The first read may cost a connection, because the relay cannot know beforehand how large the rows are.
  CHECK(ready.app.Counted("Connections") - before <= 2);
}

TEST_CASE("a row that commits late is read although many large rows lie behind it", "[mysql]") {
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

TEST_CASE("a shard goes on if rows of others lie between more missing ids than one statement names", "[mysql]") {
  Ready ready({2, ""});
  // All rows have one key, so all of them belong to one shard.
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

TEST_CASE("payloads in a column whose type the application has chosen", "[mysql]") {
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
  CHECK(Requeue(relay, events[1].id) == 1);
  CHECK(relay.Reserve().at(0).payload == events[1].payload);
}

TEST_CASE("keys differ by every byte, whatever collation the application's column has", "[mysql][b53]") {
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

  // The shard of a row depends on every byte of the key, too.
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

}  // namespace
}  // namespace outbox::testing
