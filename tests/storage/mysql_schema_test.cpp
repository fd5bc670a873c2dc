// The tables on MySQL and MariaDB: how they are made, what is found wrong with them, which rights they take.
#include <cstdio>
#include <future>

#include "mysql_rig.hpp"

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
  relay.writing().ReturnShards("relay-1", {}, true);
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
  ready.relay.writing().ReturnShards("relay-1", {}, true);
  ready.relay.writing().ApplySchema({2, ""});
  CHECK(ready.relay.Heartbeat().owned.size() == 2);
  CHECK(ready.relay.writing().CheckSchema().empty());
}

TEST_CASE("check finds what is wrong, and its SQL mends it", "[mysql]") {
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
  INFO(findings[0].what << "\n" << findings[0].mend);
  CHECK(findings[0].what.find(wrong.what) != std::string::npos);
  CHECK(findings[0].error == wrong.error);
  if (findings[0].mend.ends_with("migrate"))
    ready.relay.writing().ApplySchema({});
  else if (wrong.error)
    ready.app(findings[0].mend);
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
  ready.app("update outbox_meta set version = 2");
  CHECK(Has(ready.relay.writing().CheckSchema(), "version 2"));
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
  const auto findings = mover.writing().CheckSchema();
  CHECK(findings.size() == 6);
  for (const Finding& finding : findings) {
    INFO(finding.what << " " << finding.mend);
    CHECK(finding.error);
    fresh.app(finding.mend);
  }
  CHECK(mover.writing().CheckSchema().empty());
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
  mover.writing().ReturnShards("relay-1", {}, true);
  fresh.app("drop database sales; drop user mover");
}
