// Tests of the tables, specific to MySQL and MariaDB: databases, settings of the server, and locks of migrate.
#include <future>
#include <thread>

#include "server.hpp"

namespace outbox::testing {
namespace {

TEST_CASE("another database, another name, and the printed SQL", "[mysql][b86]") {
  Fresh fresh;
  fresh.app("drop database if exists sales");
  const auto config = Configured({{"table", "sales.shop_event"}});
  const std::string printed = mysql::Adapter::PrintSchema(*config, {2, ""});
  Database::RunScript(fresh.app, printed);
  Relay relay(config);
  CHECK(relay.writing().CheckSchema().empty());
  CHECK(relay.Heartbeat().owned.size() == 2);
  relay.writing().ReleaseShards("relay-1", {}, true);
  Database::RunScript(fresh.app, printed);  // The script can be run a second time.
  CHECK(relay.writing().CheckSchema().empty());
  CHECK(relay.Heartbeat().owned.size() == 2);
  CHECK(fresh.app("select count(*) from information_schema.tables where table_schema = 'sales' and table_name like"
                  " 'shop\\_%'") == "6");
  CHECK(fresh.app("select count(*) from information_schema.tables where table_schema = database()") == "0");
  relay.Emit({Simple("k")});
  fresh.app("call sales.shop_emit('orders', 'k', 'Placed', 'p', '{\"a\": \"1\"}')");
  std::vector<Taken> events = relay.Reserve();
  if (events.empty()) {
    relay.shard = 1;
    relay.Heartbeat();
    events = relay.Reserve();
  }
  REQUIRE(events.size() == 2);
  CHECK(events[1].payload == "p");
  CHECK(events[1].headers == R"({"a": "1"})");
  relay.Fail(events[0].id, Disposition::kDead);
  relay.Confirm({events[1].id});
  CHECK(fresh.app("select concat((select count(*) from sales.shop_event), (select count(*) from sales.shop_dead))") ==
        "01");
  fresh.app("drop database sales");
}

TEST_CASE("check finds each defect, and its SQL fixes it", "[mysql]") {
  Ready ready;
  const auto wrong = GENERATE(values<Wrong>({
      {"alter table outbox_event drop column headers", "headers is missing", true},
      {"alter table outbox_retry drop column attempts", "attempts is missing", true},
      {"alter table outbox_event modify column aggregate_id integer", "aggregate_id is int", true},
      {"alter table outbox_event modify column created_at datetime(6)", "created_at is datetime", true},
      {"alter table outbox_event modify column id bigint not null", "id is not auto_increment", true},
      {"alter table outbox_event add index (id), drop primary key", "id is not the primary key", true},
      {"alter table outbox_event engine = MyISAM", "MyISAM", true},
      {"delete from outbox_shard", "disagree on the number of shards", true},
      {"delete from outbox_meta", "disagree on the number of shards", true},
      {"drop table outbox_dead", "outbox_dead is missing", true},
      {"set global auto_increment_increment = 2", "auto_increment_increment", false},
      {"set global binlog_format = 'STATEMENT'", "binlog_format", true},
      {"set global sync_binlog = 0", "(sync_binlog=0)", false},
      {"set global innodb_flush_log_at_trx_commit = 2", "(innodb_flush_log_at_trx_commit=2)", false},
  }));
  ready.app(wrong.sql);
  ready.relay.Reconnect();
  const auto findings = ready.relay.writing().CheckSchema();
  ready.app("set global auto_increment_increment = 1, sync_binlog = 1, innodb_flush_log_at_trx_commit = 1");
  if (findings.size() != 1) ready.app("set global binlog_format = 'ROW'");
  INFO(wrong.sql);
  REQUIRE(findings.size() == 1);
  CheckFinding(wrong, findings[0]);
  if (findings[0].fix.ends_with("migrate"))
    ready.relay.writing().ApplySchema({});
  else if (wrong.error)
    ready.app(findings[0].fix);
  ready.relay.Reconnect();
  CHECK(ready.relay.writing().CheckSchema().empty());
}

TEST_CASE("migrate accepts id columns of small integer types, and check warns of them", "[mysql]") {
  const std::string type = GENERATE("int", "mediumint", "smallint unsigned", "tinyint");
  Fresh fresh;
  Relay relay(Configured());
  relay.writing().ApplySchema({});
  fresh.app("alter table outbox_event modify column id " + type + " not null auto_increment");
  relay.writing().ApplySchema({});
  const auto findings = relay.writing().CheckSchema();
  REQUIRE(findings.size() == 1);
  CheckFinding({"", "once the numbers of this type are used up", false}, findings[0]);
  fresh.app(findings[0].fix);
  CHECK(relay.writing().CheckSchema().empty());
}

TEST_CASE("with a statement-based binary log the relay's writes are refused, and the error names a fix",
          "[mysql][b52]") {
  Ready ready;
  REQUIRE(ready.app("select @@global.log_bin") == "1");
  ready.app("set global binlog_format = 'STATEMENT'");
  ready.relay.Reconnect();
  const Error error = Caught([&] { ready.relay.Emit({Simple("k")}); });
  ready.app("set global binlog_format = 'ROW'");
  CHECK(error.code == OUTBOX_BAD_CONFIG);
  CHECK(std::string(error.what()).find("set global binlog_format = 'ROW'") != std::string::npos);
}

// outbox_emit writes into the outbox of its own database, whatever database the caller uses and whatever the caller's
// database contains. On MySQL and MariaDB, a temporary table of the caller hides the outbox also under its full name;
// nothing in a procedure can change that.
TEST_CASE("the procedure writes into the outbox of its own database", "[mysql][b100]") {
  Ready ready;
  const std::string database = Server().at("database");
  ready.app(
      "drop database if exists tenant; create database tenant; use tenant; create table tenant.outbox_event like `" +
      database + "`.outbox_event");
  ready.app("call `" + database + "`.outbox_emit('orders', 'k', 'Placed', 'p', '{}')");
  CHECK(ready.app("select count(*) from tenant.outbox_event") == "0");
  CHECK(ready.relay.Reserve().size() == 1);
  ready.app("drop database tenant");
}

TEST_CASE("a second outbox cannot share the companion tables of the first", "[mysql][b103]") {
  Fresh fresh;
  Relay first(Configured({{"table", "outbox"}}));
  first.writing().ApplySchema({});
  Relay second(Configured());
  const std::string refused = Caught([&] { second.writing().ApplySchema({}); }).what();
  CHECK(refused.find("belong to the outbox \"outbox\"") != std::string::npos);
  CHECK(fresh.app("select count(*) from information_schema.tables where table_schema = database() and table_name ="
                  " 'outbox_event'") == "0");
  const std::string printed = mysql::Adapter::PrintSchema(*Configured(), {});
  CHECK(fresh.app.Try(printed).find("may belong to another outbox") != std::string::npos);
  fresh.app("create table outbox_event like outbox");
  CHECK(Caught([&] { second.Heartbeat(); }).code == OUTBOX_BAD_CONFIG);
  CHECK(Has(second.writing().CheckSchema(), "belong to the outbox \"outbox\""));

  CheckAmbiguousVersion1(fresh.app, first);

  fresh.app("create table shop_retry (id integer); create view shop_dead as select 1 as x");
  Relay third(Configured({{"table", "shop_event"}}));
  const std::string listed = Caught([&] { third.writing().ApplySchema({}); }).what();
  CHECK(listed.find("\"shop_retry\" lacks the columns row_id") != std::string::npos);
  CHECK(listed.find("\"shop_dead\" is not a table") != std::string::npos);
  CHECK(fresh.app("select count(*) from information_schema.tables where table_schema = database() and table_name like"
                  " 'shop%'") == "2");
}

// An insert waits behind migrate for at most a second, because the lock timeout of the servers cannot be shorter.
TEST_CASE("while migrate waits for a lock, nobody waits behind it for long", "[mysql][b105]") {
  Ready ready;
  ready.app("alter table outbox_retry drop index next_try");
  CHECK(ready.relay.writing().PlanSchema({}).size() == 1);
  Application holder, waiting;
  holder("start transaction; select count(*) from outbox_retry");
  const auto migrating = [] { return Caught([] { Migrate<Database::Adapter>(Configured(), {}, Millis(30'000)); }); };
  auto migrated = std::async(std::launch::async, migrating);
  const auto waits = [&] {
    return ready.app(
               "select count(*) from information_schema.processlist where state like 'Waiting for table metadata%'"
               " and info like 'alter%'") == "1";
  };
  while (!waits()) std::this_thread::sleep_for(Millis(1));
  const auto begun = Clock::now();
  waiting("delete from outbox_retry");
  CHECK(Clock::now() - begun < Millis(2500));
  while (waits()) std::this_thread::sleep_for(Millis(1));
  while (!waits()) std::this_thread::sleep_for(Millis(1));  // Waits until migrate requests the lock again.
  holder("rollback");
  CHECK(migrated.get().code == OUTBOX_OK);
  CHECK(ready.relay.writing().PlanSchema({}).empty());
}

}  // namespace
}  // namespace outbox::testing
