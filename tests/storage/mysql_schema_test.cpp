// The tables on MySQL and MariaDB: how they are made, what is found wrong with them, which rights they take.
#include <cstdio>
#include <future>
#include <thread>

#include "mysql_rig.hpp"
#include "version_1.hpp"

namespace {

using namespace outbox::testing;
using outbox::Disposition;
using outbox::Error;
using outbox::Finding;
using outbox::Millis;
using Relay = MysqlRelay;

// As a user would, with the client.
void Feed(const std::string& sql) {
  const Json server = Server();
  REQUIRE(setenv("MYSQL_PWD", std::string(server.at("password")).c_str(), 1) == 0);
  const std::string command = "mariadb --no-defaults --protocol=tcp --host=" + std::string(server.at("host")) +
                              " --port=" + server.at("port").dump() + " --user=" + std::string(server.at("user")) +
                              " " + std::string(server.at("database"));
  FILE* const client = popen(command.c_str(), "w");
  REQUIRE(client != nullptr);
  REQUIRE(fwrite(sql.data(), 1, sql.size(), client) == sql.size());
  REQUIRE(pclose(client) == 0);
}

}  // namespace

TEST_CASE("missing tables name what makes them; a second migrate changes nothing", "[mysql]") {
  Fresh fresh;
  Relay relay(Configured());
  for (const Error& error : {Caught([&] { relay.Heartbeat(); }), Caught([&] { relay.Reserve(); })}) {
    CHECK(error.code == OUTBOX_BAD_CONFIG);
    CHECK(std::string(error.what()).find("outbox-relay migrate") != std::string::npos);
  }
  CHECK(relay.writing().CheckSchema().size() == 6);
  relay.writing().ApplySchema({3, ""});
  relay.Heartbeat();
  relay.Emit({Simple("k")});
  const std::string state =
      "select concat((select count(*) from outbox_event), (select group_concat(shard, owner, token) from outbox_shard),"
      " (select group_concat(relay_id, expires) from outbox_relay), (select group_concat(table_name, create_time order"
      " by table_name) from information_schema.tables where table_schema = database()))";
  const std::string before = fresh.app(state);
  CHECK(before.find("outbox_shard") != std::string::npos);
  for (const std::uint32_t shards : {0U, 3U}) {
    relay.writing().ApplySchema({shards, ""});
    CHECK(fresh.app(state) == before);
  }
  CHECK(relay.writing().CheckSchema().empty());
}

TEST_CASE("two migrates at once", "[mysql]") {
  Fresh fresh;
  const auto migrate = [] {
    outbox::mysql::Adapter adapter(Configured(), {0, 0, Millis(20'000)});
    adapter.Begin({0, 0, Millis(20'000)});
    adapter.ApplySchema({});
  };
  auto one = std::async(std::launch::async, migrate), two = std::async(std::launch::async, migrate);
  CHECK_NOTHROW(one.get());
  CHECK_NOTHROW(two.get());
}

TEST_CASE("another database, another name, and the printed SQL", "[mysql][b86]") {
  Fresh fresh;
  fresh.app("drop database if exists sales");
  const auto config = Configured({{"table", "sales.shop_event"}});
  const std::string printed = outbox::mysql::Adapter::PrintSchema(*config, {2, ""});
  Feed(printed);
  Relay relay(config);
  CHECK(relay.writing().CheckSchema().empty());
  CHECK(relay.Heartbeat().owned.size() == 2);
  relay.writing().ReleaseShards("relay-1", {}, true);
  Feed(printed);  // again
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

TEST_CASE("the number of shards changes only while no relay runs", "[mysql]") {
  Ready ready;
  const Error error = Caught([&] { ready.relay.writing().ApplySchema({4, ""}); });
  CHECK(error.code == OUTBOX_BAD_CONFIG);
  CHECK(std::string(error.what()).find("only while no relay runs") != std::string::npos);
  const auto token = ready.relay.token;
  ready.relay.writing().ExpireLeases();
  ready.relay.writing().ApplySchema({4, ""});
  CHECK(ready.relay.Heartbeat().owned.size() == 4);
  CHECK(ready.relay.token > token + 1);
  ready.relay.writing().ReleaseShards("relay-1", {}, true);
  ready.relay.writing().ApplySchema({2, ""});
  CHECK(ready.relay.Heartbeat().owned.size() == 2);
  CHECK(ready.relay.writing().CheckSchema().empty());
}

TEST_CASE("check finds what is wrong, and its SQL fixes it", "[mysql]") {
  Ready ready;
  struct Wrong {
    const char *sql, *what;
    bool error;
  };
  const auto wrong = GENERATE(values<Wrong>({
      {"alter table outbox_event drop column headers", "headers is missing", true},
      {"alter table outbox_retry drop column attempts", "attempts is missing", true},
      {"alter table outbox_event modify column aggregate_id integer", "aggregate_id is int", true},
      {"alter table outbox_event modify column created_at datetime(6)", "created_at is datetime", true},
      {"alter table outbox_event modify column id bigint not null", "id is not auto_increment", true},
      {"alter table outbox_event add index (id), drop primary key", "id is not the primary key", true},
      {"alter table outbox_event engine = MyISAM", "MyISAM", true},
      {"delete from outbox_shard", "do not fit", true},
      {"delete from outbox_meta", "do not fit", true},
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
  INFO(findings[0].what << "\n" << findings[0].fix);
  CHECK(findings[0].what.find(wrong.what) != std::string::npos);
  CHECK(findings[0].error == wrong.error);
  if (findings[0].fix.ends_with("migrate"))
    ready.relay.writing().ApplySchema({});
  else if (wrong.error)
    ready.app(findings[0].fix);
  ready.relay.Reconnect();
  CHECK(ready.relay.writing().CheckSchema().empty());
}

TEST_CASE("a binary log of statements refuses what the relay writes, and the error names the cure", "[mysql][b52]") {
  Ready ready;
  REQUIRE(ready.app("select @@global.log_bin") == "1");
  ready.app("set global binlog_format = 'STATEMENT'");
  ready.relay.Reconnect();
  const Error error = Caught([&] { ready.relay.Emit({Simple("k")}); });
  ready.app("set global binlog_format = 'ROW'");
  CHECK(error.code == OUTBOX_BAD_CONFIG);
  CHECK(std::string(error.what()).find("set global binlog_format = 'ROW'") != std::string::npos);
}

TEST_CASE("tables of a newer relay are refused", "[mysql][b12]") {
  Ready ready;
  ready.app("update outbox_meta set version = 3");
  CHECK(Has(ready.relay.writing().CheckSchema(), "version 3"));
  CHECK(Caught([&] { ready.relay.writing().ApplySchema({}); }).code == OUTBOX_BAD_CONFIG);
}

TEST_CASE("with exactly the grants that check names the relay runs", "[mysql]") {
  Fresh fresh;
  fresh.app("drop database if exists sales; create database sales; drop user if exists mover");
  {
    Relay relay(Configured({{"table", "sales.shop_event"}}));
    relay.writing().ApplySchema({2, ""});
    relay.Emit({Simple("a"), Simple("a"), Simple("a")});
  }
  fresh.app("create user mover identified by 'm'; grant usage on *.* to mover; grant select on `" +
            std::string(Server().at("database")) + "`.* to mover");
  Relay mover(Configured({{"table", "sales.shop_event"}, {"user", "mover"}, {"password", "m"}}));
  CHECK(Caught([&] { mover.Heartbeat(); }).code == OUTBOX_BAD_CONFIG);
  CHECK(std::string(Caught([&] { mover.writing().ApplySchema({}); }).what()).find("--print") != std::string::npos);
  // What this user is not shown is a note, and nothing to grant.
  const auto wrong = [&] {
    auto found = mover.writing().CheckSchema();
    std::erase_if(found, [](const Finding& finding) { return finding.note; });
    return found;
  };
  const auto findings = wrong();
  CHECK(findings.size() == 6);
  for (const Finding& finding : findings) {
    INFO(finding.what << " " << finding.fix);
    CHECK(finding.error);
    fresh.app(finding.fix);
  }
  CHECK(wrong().empty());
  mover.Heartbeat();
  Ids ids = IdsOf(mover.Reserve());
  if (ids.empty()) {
    mover.shard = 1;
    mover.Heartbeat();
    ids = IdsOf(mover.Reserve());
  }
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
  fresh.app("drop database sales; drop user mover");
}

// By migrate and by the script that it prints, each twice.
TEST_CASE("tables of version 1 are refused, and upgraded without losing a row", "[mysql][b12]") {
  Fresh fresh;
  Feed(outbox::testing::kMysqlVersion1);
  const std::string state =
      "select concat_ws(' ', (select group_concat(id, event_id, payload order by id) from outbox_event),"
      " (select group_concat(row_id, event_id, aggregate_id, attempts, coalesce(next_try, ''), reason order by row_id) "
      "from outbox_retry),"
      " (select group_concat(row_id, event_id, payload, attempts) from outbox_dead), (select group_concat(relay_id, "
      "expires) from outbox_relay),"
      " (select group_concat(shard, owner, token, state, suspect) from outbox_shard))";
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
      Feed(outbox::mysql::Adapter::PrintSchema(*Configured(), {}));
    else
      relay.writing().ApplySchema({});
    CHECK(fresh.app(state) == before);
    CHECK(fresh.app("select concat(version, ' ', outbox) from outbox_meta") == "2 outbox_event");
  }
  CHECK(fresh.app("select count(distinct index_name) from information_schema.statistics where table_schema = database()"
                  " and table_name = 'outbox_retry'") == "4");
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

// Whatever database the caller is in, and whatever it holds. A temporary table of the caller's hides the outbox on these
// servers also under its full name; nothing in a procedure can change that.
TEST_CASE("the procedure writes into the outbox beside it", "[mysql][b100]") {
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

TEST_CASE("a second outbox cannot share the companions of the first", "[mysql][b103]") {
  Fresh fresh;
  Relay first(Configured({{"table", "outbox"}}));
  first.writing().ApplySchema({});
  Relay second(Configured());
  const std::string refused = Caught([&] { second.writing().ApplySchema({}); }).what();
  CHECK(refused.find("belong to the outbox \"outbox\"") != std::string::npos);
  CHECK(fresh.app("select count(*) from information_schema.tables where table_schema = database() and table_name ="
                  " 'outbox_event'") == "0");
  const std::string printed = outbox::mysql::Adapter::PrintSchema(*Configured(), {});
  CHECK(fresh.app.Try(printed).find("may belong to another outbox") != std::string::npos);
  fresh.app("create table outbox_event like outbox");
  CHECK(Caught([&] { second.Heartbeat(); }).code == OUTBOX_BAD_CONFIG);
  CHECK(Has(second.writing().CheckSchema(), "belong to the outbox \"outbox\""));

  fresh.app("update outbox_meta set version = 1; alter table outbox_meta drop column outbox");
  const std::string ambiguous = Caught([&] { first.writing().ApplySchema({}); }).what();
  const auto fix = ambiguous.find("alter table");
  REQUIRE(fix != std::string::npos);
  fresh.app(ambiguous.substr(fix));
  first.writing().ApplySchema({});
  CHECK(first.Heartbeat().owned.size() == 1);

  fresh.app("create table shop_retry (id integer); create view shop_dead as select 1 as x");
  Relay third(Configured({{"table", "shop_event"}}));
  const std::string listed = Caught([&] { third.writing().ApplySchema({}); }).what();
  CHECK(listed.find("\"shop_retry\" lacks the columns row_id") != std::string::npos);
  CHECK(listed.find("\"shop_dead\" is not a table") != std::string::npos);
  CHECK(fresh.app("select count(*) from information_schema.tables where table_schema = database() and table_name like"
                  " 'shop%'") == "2");
}

// An insert does not wait behind the change for longer than the servers can say: a second.
TEST_CASE("migrate keeps nobody waiting behind a lock that it waits for", "[mysql][b105]") {
  Ready ready;
  ready.app("alter table outbox_retry drop index next_try");
  CHECK(ready.relay.writing().PlanSchema({}).size() == 1);
  Application holder, waiting;
  holder("start transaction; select count(*) from outbox_retry");
  const auto migrating = [] {
    outbox::mysql::Adapter adapter(Configured(), {0, 0, Millis(30'000)});
    adapter.Begin({0, 0, Millis(30'000)});
    return Caught([&] { adapter.ApplySchema({}); });
  };
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
  while (!waits()) std::this_thread::sleep_for(Millis(1));  // it tries again
  holder("rollback");
  CHECK(migrated.get().code == OUTBOX_OK);
  CHECK(ready.relay.writing().PlanSchema({}).empty());
}
