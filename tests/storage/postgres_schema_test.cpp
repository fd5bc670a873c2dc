// Tests of the tables, specific to PostgreSQL: schemas, payload types, and locks of migrate.
#include <atomic>
#include <thread>

#include "schema_checks.hpp"
#include "server.hpp"

namespace outbox::testing {
namespace {

TEST_CASE("another schema, another name, and the printed SQL", "[postgres][b86]") {
  Fresh fresh;
  const auto config = Configured(Server(), "Sales.Shop_event");
  fresh.app(postgres::Adapter::PrintSchema(*config, {2, "bytea"}));
  Relay relay(config);
  CHECK(relay.writing().CheckSchema().empty());
  CHECK(relay.Heartbeat().owned.size() == 2);
  CHECK(fresh.app("select count(*) from pg_tables where schemaname = 'Sales' and tablename like 'Shop\\_%'") == "6");
  relay.Emit({Simple("k")});
  CHECK(relay.Reserve().size() + (relay.shard = 1, relay.Heartbeat(), relay.Reserve().size()) == 1);
  fresh.app("drop schema \"Sales\" cascade");
}

TEST_CASE("check finds each defect, and its SQL fixes it", "[postgres]") {
  Ready ready;
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
  CheckFinding(wrong, findings[0]);
  ready.app(findings[0].fix);
  CHECK(ready.relay.writing().CheckSchema().empty());
}

TEST_CASE("check warns of commits that are visible before they are on disk", "[postgres]") {
  Ready ready;
  ready.app("alter role current_user set synchronous_commit = off");
  ready.relay.Reconnect();
  const auto findings = ready.relay.writing().CheckSchema();
  ready.app("alter role current_user reset synchronous_commit");
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].what.find("(fsync=on, synchronous_commit=off)") != std::string::npos);
  CHECK_FALSE(findings[0].error);
}

TEST_CASE("a change of the payload's type is planned, and refused while events would be rewritten",
          "[postgres][b105]") {
  Ready ready;
  ready.app.Insert("k", R"({"a": 1, "a": 2})");
  const SchemaOptions wish{0, "jsonb"};
  const auto changes = ready.relay.writing().PlanSchema(wish);
  REQUIRE(changes.size() == 2);
  CHECK(changes[0].find("outbox_event.payload from text to jsonb: rewrites 1 rows") != std::string::npos);
  CHECK(changes[0].find("bytes change") != std::string::npos);
  CHECK(changes[1].find("outbox_dead.payload from text to jsonb: rewrites 0 rows") != std::string::npos);
  const Error refused = Caught([&] { ready.relay.writing().ApplySchema(wish); });
  CHECK(refused.code == OUTBOX_BAD_CONFIG);
  CHECK(std::string(refused.what()).find("--rewrite-events") != std::string::npos);
  CHECK(ready.app("select payload from outbox_event") == R"({"a": 1, "a": 2})");

  // migrate refuses to rewrite even a single dead letter.
  const Ids ids = IdsOf(ready.relay.Reserve());
  ready.relay.Fail(ids.at(0), Disposition::kDead);
  CHECK(Caught([&] { ready.relay.writing().ApplySchema(wish); }).code == OUTBOX_BAD_CONFIG);
  CHECK(ready.app("select payload from outbox_dead") == R"({"a": 1, "a": 2})");
  ready.relay.writing().ApplySchema({0, "jsonb", false, true});
  CHECK(ready.app("select payload from outbox_dead") == R"({"a": 2})");
  CHECK(ready.relay.writing().PlanSchema(wish).empty());
}

// Each change by migrate needs a lock that conflicts with a lock of the open transaction. An insert must not wait
// behind migrate's lock request, and migrate makes the change as soon as the transaction ends.
TEST_CASE("migrate keeps no insert waiting behind a lock that it waits for", "[postgres][b105]") {
  Ready ready;
  struct Change {
    const char *before, *holder;
    SchemaOptions wish;
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
    error = Caught([&] { Migrate<Database::Adapter>(Configured(), change.wish, Millis(30'000)); });
    migrated = true;
  });
  // Returns true while migrate waits for a lock. The loop below makes two turns, so it ends after migrate has waited
  // and given up at least once.
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

TEST_CASE("a migrate that gets no lock reports the holder, and changes nothing", "[postgres][b105]") {
  Ready ready;
  Application holder;
  holder("set application_name = 'holder'; begin; lock table outbox_event");
  const Error error = Caught([&] { ready.relay.writing().ApplySchema({0, "", true}); });
  holder("rollback");
  CHECK(error.code == OUTBOX_TIMEOUT);
  CHECK(std::string(error.what()).find("(holder)") != std::string::npos);
  CHECK(ready.app("select count(*) from pg_trigger where tgname = 'outbox_wake_up'") == "0");
}

// The search path begins with the schema of a tenant, which contains tables, functions and operators with the names
// that the outbox uses. Temporary tables come before all schemas.
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

  // The relay's own sessions use the outbox in `public`, too. The SQL that migrate prints also changes the outbox in
  // `public`, although the search path contains the tenant's tables.
  relay.Heartbeat();
  CHECK(IdsOf(relay.Reserve()).size() == 1);
  if (hostile != "temporary") {
    Application guarded;
    guarded("set search_path = public, tenant");
    guarded(postgres::Adapter::PrintSchema(*Configured(), {0, "", true}));
    CHECK(guarded("select pg_get_functiondef('public.outbox_emit'::regproc)").find("into public.outbox_event") !=
          std::string::npos);
  }
  fresh.app("drop schema tenant cascade");
}

TEST_CASE("a table in a later schema of the search path has its companion tables in the same schema",
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
  CHECK(printed.Try(postgres::Adapter::PrintSchema(*Configured(), {})).find("is not in the schema") !=
        std::string::npos);
  printed("rollback; set search_path = public; create temporary table outbox_meta (version integer)");
  CHECK(printed.Try(postgres::Adapter::PrintSchema(*Configured(), {})).find("temporary tables") != std::string::npos);
  fresh.app("drop schema first cascade");
}

TEST_CASE("a second outbox cannot share the companion tables of the first", "[postgres][b103]") {
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
  CHECK(printed.Try(postgres::Adapter::PrintSchema(*Configured(Server(), other), {})).find(mine) != std::string::npos);
  // If the application has created the second outbox, the relay and check must refuse it, too.
  fresh.app("create table \"" + other + "\" (like \"" + mine + "\" including all)");
  for (const Error& error : {Caught([&] { second.Heartbeat(); }), Caught([&] { second.writing().ReadStats(); })})
    CHECK(error.code == OUTBOX_BAD_CONFIG);
  CHECK(Has(second.writing().CheckSchema(), "belong to the outbox \"" + mine + "\""));

  // Tables of version 1 do not record to which outbox they belong. The fix that the error contains has to work.
  CheckAmbiguousVersion1(fresh.app, first);

  // After the table was renamed, and with the new name in the configuration, the companion tables still belong to the
  // same outbox.
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

}  // namespace
}  // namespace outbox::testing
