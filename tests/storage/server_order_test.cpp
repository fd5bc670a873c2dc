// Tests of the order in which rows are read, for every database server: rows that commit late, and keys on hold.
#include <algorithm>
#include <span>
#include <thread>

#include "server.hpp"

namespace outbox::testing {
namespace {

// The second read may be limited to new rows if no id is missing, but not if an id is missing.
TEST_CASE("in a backlog, a row that commits late is read before newer ones", "[server][b38]") {
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

// A relay need not wait for the missing ids of rows that another relay has deleted. It has to wait for the id of an
// open transaction.
TEST_CASE("beside a relay that is ahead, a row that commits late is read before newer ones", "[server][b38]") {
  Ready ready({2, ""});
  ready.relay.shard = static_cast<std::uint32_t>(std::stoi(ready.app("select " + Database::ShardOf("'k'"))));
  ready.relay.Heartbeat();
  const std::string ours = Database::ShardOf("aggregate_id") + " = " + std::to_string(ready.relay.shard);
  const bool early = GENERATE(true, false);
  CAPTURE(early);
  const auto backlog = [&](long long above) {
    ready.app(
        "insert into outbox_event (topic, aggregate_id, event_type)"
        " select 'orders', case g % 3 when 0 then 'k' else concat('k', g % 50) end, 'Placed' from " +
        Database::Numbers(600) + " n");
    ready.app("delete from outbox_event where not (" + ours + ") and id % 2 = 0 and id > " + std::to_string(above));
  };
  backlog(0);
  Application late;
  Ids seen;
  if (!early)
    for (int i = 0; i < 5; ++i) ReadOn(ready.relay, 20, seen);
  late("begin");
  const long long first = late.Insert("k");
  backlog(first);
  for (int i = 0; i < 2; ++i) ReadOn(ready.relay, 20, seen);
  // Once kPatience has passed, one query that finds no row is enough for the ids that were missing before.
  std::this_thread::sleep_for(Database::kPatience);
  while (seen.back() < first + 100) {
    ReadOn(ready.relay, 20, seen);
    REQUIRE(ready.relay.more);
  }
  late("commit");
  CheckTurnedUp(ready.relay, first, seen, ready.app("select count(*) from outbox_event where " + ours));
  // Checked only if `early` is true: for ids that were missing before the first reads, one query is not always enough.
  if (early) Database::CheckNoIdIsAwaited(ready.app, ready.relay);
}

TEST_CASE("a row that commits late is read before the next one of its key", "[server][b38]") {
  Ready ready;
  Application late;
  const bool very = GENERATE(false, true);
  late("begin");
  const long long first = late.Insert("k");
  const Ids others{ready.app.Insert("a"), ready.app.Insert("b"), ready.app.Insert("c")};
  CHECK(IdsOf(ready.relay.Reserve()) == others);
  ready.relay.Confirm(others);
  for (int i = 0; i < 5; ++i) CHECK(ready.relay.Reserve().empty());
  if (very) Database::OutlastPatience(ready.relay);
  late("commit");
  const long long second = ready.app.Insert("k");
  CHECK(Database::ReadBehindLate(ready.relay) == Ids{first, second});
}

TEST_CASE("a prepared transaction counts as open", "[server][b38]") {
  Ready ready;
  Application late;
  late(Database::kBeginPrepared);
  const long long first = late.Insert("k");
  late(Database::kPrepare);
  const long long other = ready.app.Insert("a");
  CHECK(IdsOf(ready.relay.Reserve()) == Ids{other});
  Database::OutlastPatience(ready.relay);
  late(Database::kCommitPrepared);
  const long long second = ready.app.Insert("k");
  CHECK(Database::ReadBehindLate(ready.relay) == Ids{first, second});
}

TEST_CASE("many waiting rows are skipped in pieces, and only once", "[server]") {
  Ready ready;
  const long long head = ready.app.Insert("k");
  CHECK(ready.relay.Reserve(1).size() == 1);
  ready.relay.Fail(head, Disposition::kBlock);
  ready.app("insert into outbox_event (topic, aggregate_id, event_type) values ('orders', 'k', 'Placed')");
  for (int doublings = 0; doublings < 16; ++doublings)
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
  Database::OutlastPatience(ready.relay);
  const auto begun = Clock::now();
  for (int i = 0; i < 20; ++i) CHECK(ready.relay.Reserve().empty());
  CHECK(Clock::now() - begun < std::chrono::seconds(2));
}

}  // namespace
}  // namespace outbox::testing
