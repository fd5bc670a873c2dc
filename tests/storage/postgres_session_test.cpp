// Tests of sessions, specific to PostgreSQL: encodings, locks, a server that stops, and connections.
#include <signal.h>

#include <future>

#include "postgres/errors.hpp"
#include "schema_checks.hpp"
#include "server.hpp"

namespace outbox::testing {
namespace {

TEST_CASE("texts are UTF-8, whatever encoding the connection requests", "[postgres]") {
  Ready ready;
  ready.app("set client_encoding = 'UTF8'");
  ready.app.Insert("ключ", "значение");
  Relay relay(Configured(Server() + " client_encoding=LATIN1"), "relay-1");
  relay.token = ready.relay.token;
  const std::vector<Taken> taken = relay.Reserve();
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].key == "ключ");
  CHECK(taken[0].payload == "значение");
}

TEST_CASE("a confirm is the only write that does not wait for the disk", "[postgres]") {
  Ready ready;
  ready.app(
      "create table seen (what text); grant all on seen to public;"
      " create function sees() returns trigger language plpgsql as"
      " 'begin insert into seen values (current_setting(''synchronous_commit'')); return null; end';"
      " create trigger sees after delete on outbox_event execute function sees()");
  const long long confirmed = ready.app.Insert("a"), dead = ready.app.Insert("b"), last = ready.app.Insert("c");
  CHECK(ready.relay.Reserve().size() == 3);
  ready.relay.Confirm({confirmed});
  ready.relay.Fail(dead, Disposition::kDead, Millis(0));
  ready.relay.Confirm({last});
  CHECK(ready.app("select string_agg(what, ' ') from seen") == "off on off");
  CHECK(ready.app("select count(*) from outbox_event") == "0");
}

TEST_CASE("if a read waits for a locked table, the error names the holder", "[postgres][b31]") {
  Ready ready;
  (void)ready.relay.Reserve();
  Application writer, altering;
  writer("begin; insert into outbox_event (topic, event_type) values ('t', 'T')");
  altering("set application_name = 'altering'");
  auto waits =
      std::async(std::launch::async, [&] { return altering.Try("alter table outbox_event add column c int"); });
  while (ready.app("select count(*) from pg_locks where mode = 'AccessExclusiveLock' and not granted") == "0") {
  }
  const Error error = Caught([&] { (void)ready.relay.Reserve(); });
  writer("commit");
  CHECK(waits.get() == "");
  CHECK(error.code == OUTBOX_TIMEOUT);
  INFO(error.what());
  CHECK(std::string(error.what()).find("is locked by pid ") != std::string::npos);
  CHECK(std::string(error.what()).find("application altering") != std::string::npos);
}

TEST_CASE("locks, ended connections, and a server that does not answer", "[postgres][b17][b26][b29][b31]") {
  OneRead one;
  const auto says = [](const Error& error, const std::string& what) {
    INFO(error.what());
    CHECK(Says(error, what));
  };

  SECTION("a locked row: the statement ends, the session goes on, and the error names the holder of the row") {
    Application locker;
    locker("set application_name = 'a locker'");
    locker("begin; select 1 from outbox_event for update");
    const Error refused = one.Confirmed(Millis(400));
    CHECK(refused.code == OUTBOX_REFUSED);
    says(refused, "locked by pid " + locker("select pg_backend_pid()") + ", user ");
    says(refused, "application a locker, in a transaction since 2");
    // The confirm deletes all rows but the locked one.
    std::vector<long long> others;
    for (int i = 0; i < 100; ++i) others.push_back(one.app.Insert("b" + std::to_string(i)));
    CHECK(one.relay.Reserve().size() == 100);
    one.relay.Confirm(others);
    locker("commit");
    CHECK(one.Confirm(Millis(2000)) == OUTBOX_OK);
    CHECK(one.app("select count(*) from outbox_event") == "0");
  }
  SECTION("a locked table, or one that a trigger writes to: a timeout, and no row is refused") {
    Application locker;
    const std::string pid = locker("select pg_backend_pid()");
    locker("begin; lock table outbox_event in share mode");
    const Error waited = one.Confirmed(Millis(400));
    CHECK(waited.code == OUTBOX_TIMEOUT);
    says(waited, "is locked by pid " + pid);
    locker("commit");
    locker(
        "create table removals (n bigint); insert into removals values (0); grant all on removals to public;"
        " create function count_them() returns trigger language plpgsql as"
        " 'begin update removals set n = n + 1; return old; end';"
        " create trigger counts before delete on outbox_event for each row execute function count_them()");
    locker("begin; select 1 from removals for update");
    const Error behind = one.Confirmed(Millis(400));
    CHECK(behind.code == OUTBOX_TIMEOUT);
    says(behind, "count_them()");
    locker("commit");
    CHECK(one.Confirm(Millis(2000)) == OUTBOX_OK);
  }
  SECTION("a delete that takes too long is repeated with fewer rows at a time") {
    one.app(
        "create function dawdle() returns trigger language plpgsql as 'begin perform pg_sleep(60); return old; end';"
        " create trigger dawdles before delete on outbox_event for each row execute function dawdle()");
    const Error refused = one.Confirmed(Millis(400));
    CHECK(refused.code == OUTBOX_REFUSED);
    says(refused, "slow");
    one.app("drop trigger dawdles on outbox_event");
    CHECK(one.Confirm(Millis(2000)) == OUTBOX_OK);
  }
  SECTION("a server process that is stopped") {
    CHECK(one.Confirm(Millis(2000)) == OUTBOX_OK);
    // The session that was active last is the one that confirmed.
    const auto pid =
        std::stoi(one.app("select pid from pg_stat_activity where application_name = 'outbox-relay' and datname ="
                          " current_database() order by state_change desc limit 1"));
    REQUIRE(kill(pid, SIGSTOP) == 0);
    const auto begun = Clock::now();
    const auto code = one.Confirm(Millis(300));
    const auto took = Clock::now() - begun;
    kill(pid, SIGCONT);
    CHECK(code == OUTBOX_TIMEOUT);
    CHECK(took < std::chrono::seconds(3));
  }
  SECTION("a server that is read-only") {
    one.app("alter system set default_transaction_read_only = on; ");
    one.app("select pg_reload_conf()");
    one.relay.Reconnect();
    outbox_code code = OUTBOX_OK;
    for (int i = 0; i < 500 && code == OUTBOX_OK; ++i) {
      one.relay.Reconnect();
      one.relay.writing().Begin({0, one.relay.token, Millis(1000)});
      code = Caught([&] { one.relay.Confirm({one.id}); }).code;
    }
    CHECK(code == OUTBOX_UNAVAILABLE);
    // From a read-only server the relay reads no rows, because it could not confirm them; a relay that starts now
    // waits.
    CHECK(Caught([&] { (void)one.relay.Reserve(); }).code == OUTBOX_UNAVAILABLE);
    CHECK(Caught([&] { (void)one.relay.writing().CheckSchema(); }).code == OUTBOX_UNAVAILABLE);
    Application reset;
    reset("set default_transaction_read_only = off");
    reset("alter system reset default_transaction_read_only");
    reset("select pg_reload_conf()");
    one.app("set default_transaction_read_only = off");
  }
}

TEST_CASE("a pooler that changes sessions between statements is named", "[postgres][b41]") {
  const Error error = postgres::Explain(sql::Tables("outbox_event"), "42P05", "prepared statement already exists");
  CHECK(error.code == OUTBOX_UNAVAILABLE);
  CHECK(std::string(error.what()).find("session mode") != std::string::npos);
}

TEST_CASE("a failed connection is reported with its cause, and never with the password", "[postgres]") {
  const auto failure = [](const std::string& connection) {
    return Caught([&] { postgres::Adapter adapter(Configured(connection)); });
  };
  const Error closed = failure("host=127.0.0.1 port=1 user=x password=hunter2");
  CHECK(closed.code == OUTBOX_UNAVAILABLE);
  const Error database = failure(Server() + " dbname=nowhere password=hunter2");
  CHECK(database.code == OUTBOX_BAD_CONFIG);
  const Error role = failure(Server() + " user=nobody password=hunter2");
  CHECK(role.code == OUTBOX_BAD_CONFIG);
  const Error port = failure("host=127.0.0.1 port=5432:x password=hunter2");
  CHECK(port.code == OUTBOX_BAD_CONFIG);
  const Error broken = Caught([] { Configured("password=hunter2 and more"); });
  CHECK(broken.code == OUTBOX_BAD_CONFIG);
  for (const Error& error : {closed, database, role, port, broken})
    CHECK(std::string(error.what()).find("hunter2") == std::string::npos);
}

}  // namespace
}  // namespace outbox::testing
