// Tests of the tables for every database server: how they are created, upgraded and checked, and which rights are
// needed.
#include <future>

#include "schema_checks.hpp"
#include "server.hpp"

namespace outbox::testing {
namespace {

TEST_CASE("an error about missing tables names migrate, and a second migrate changes nothing", "[server]") {
  Fresh fresh;
  Relay relay(Configured());
  CheckMissingTablesNameMigrate(relay);
  CHECK(relay.writing().CheckSchema().size() == 6);
  relay.writing().ApplySchema({3, ""});
  relay.Heartbeat();
  relay.Emit({Simple("k")});
  const std::string before = fresh.app(Database::kState);
  CHECK(before.find("outbox_shard") != std::string::npos);
  for (const std::uint32_t shards : {0U, 3U}) {
    relay.writing().ApplySchema({shards, ""});
    CHECK(fresh.app(Database::kState) == before);
  }
  CHECK(relay.writing().CheckSchema().empty());
}

TEST_CASE("two migrates at once", "[server]") {
  Fresh fresh;
  const auto migrate = [] { Migrate<Database::Adapter>(Configured(), {}, Millis(20'000)); };
  auto one = std::async(std::launch::async, migrate), two = std::async(std::launch::async, migrate);
  CHECK_NOTHROW(one.get());
  CHECK_NOTHROW(two.get());
}

TEST_CASE("the number of shards changes only while no relay runs", "[server]") {
  Ready ready;
  const Error error = Caught([&] { ready.relay.writing().ApplySchema({4, ""}); });
  CHECK(error.code == OUTBOX_BAD_CONFIG);
  CHECK(Says(error, "only while no relay runs"));
  const auto token = ready.relay.token;
  ready.relay.writing().ExpireLeases();
  ready.relay.writing().ApplySchema({4, ""});
  CHECK(ready.relay.Heartbeat().owned.size() == 4);
  CHECK(ready.relay.token > token + 1);
  CHECK(ready.relay.writing().CheckSchema().empty());
  ready.relay.writing().ReleaseShards("relay-1", {}, true);
  ready.relay.writing().ApplySchema({2, ""});
  CHECK(ready.relay.Heartbeat().owned.size() == 2);
  CHECK(ready.relay.writing().CheckSchema().empty());
}

TEST_CASE("tables of a newer relay are refused", "[server][b12]") {
  Ready ready;
  ready.app("update outbox_meta set version = 3");
  CHECK(Has(ready.relay.writing().CheckSchema(), "version 3"));
  CHECK(Caught([&] { ready.relay.writing().ApplySchema({}); }).code == OUTBOX_BAD_CONFIG);
}

// Reads each of two shards until a read returns rows, and returns the ids of these rows. All rows have one key, so the
// other shard is empty.
Ids ReadEitherShard(Relay& relay) {
  Ids ids;
  for (relay.shard = 0; relay.shard < 2; ++relay.shard) {
    relay.Heartbeat();
    ids = IdsOf(relay.Reserve());
    if (!ids.empty()) break;
  }
  return ids;
}

TEST_CASE("the relay runs with exactly the grants that check names", "[server]") {
  Fresh fresh;
  Database::MakeMover(fresh.app);
  {
    Relay relay(Database::SalesConfig());
    relay.writing().ApplySchema({2, ""});
    relay.Emit({Simple("a"), Simple("a"), Simple("a")});
  }
  Relay mover(Database::MoverConfig());
  CHECK(Caught([&] { mover.Heartbeat(); }).code == OUTBOX_BAD_CONFIG);
  CHECK(Says(Caught([&] { mover.writing().ApplySchema({}); }), "--print"));
  const auto findings = Database::MissingRights(mover);
  CHECK(findings.size() == Database::kRightsToGrant);
  for (const Finding& finding : findings) {
    INFO(finding.what << " " << finding.fix);
    CHECK(finding.error);
    fresh.app(finding.fix);
  }
  CHECK(Database::MissingRights(mover).empty());
  const Ids ids = ReadEitherShard(mover);
  REQUIRE(ids.size() == 3);
  mover.Confirm({ids[0]});
  mover.Fail(ids[1], Disposition::kRetry);
  mover.Fail(ids[1], Disposition::kRetry);
  mover.Fail(ids[2], Disposition::kDead);
  CHECK(mover.writing().ReadStats().dead == 1);
  CHECK(IdsOf(mover.Reserve()) == Ids{ids[1]});
  CHECK(Caught([&] { mover.Emit({Simple("x")}); }).code == OUTBOX_BAD_CONFIG);
  mover.writing().EndEmit(false);
  mover.writing().ReleaseShards("relay-1", {}, true);
  Database::DropMover(fresh.app);
}

// Upgrades the tables by running migrate twice, or by running twice the script that migrate prints.
TEST_CASE("tables of version 1 are refused, and upgraded without losing a row", "[server][b12]") {
  Fresh fresh;
  Database::RunScript(fresh.app, Database::kVersion1);
  const std::string before = fresh.app(Database::kVersion1Rows);
  CHECK(before.find("INVALID_RECORD") != std::string::npos);
  Relay relay(Configured());
  CheckVersion1IsRefused(relay);
  const bool printed = GENERATE(false, true);
  for (int i = 0; i < 2; ++i) {
    if (printed)
      Database::RunScript(fresh.app, Database::Adapter::PrintSchema(*Configured(), {}));
    else
      relay.writing().ApplySchema({});
    CHECK(fresh.app(Database::kVersion1Rows) == before);
    CHECK(fresh.app("select concat(version, ' ', outbox) from outbox_meta") == "2 outbox_event");
  }
  CHECK(fresh.app(Database::kRetryIndexes) == "4");
  CheckUpgradedLease(relay);
  relay.writing().MakeRetriesDue();
  CHECK(IdsOf(relay.Reserve()) == Ids{1, 3});
  relay.Confirm({1, 3});
  CHECK(relay.writing().ReadStats().blocked == 1);
}

}  // namespace
}  // namespace outbox::testing
