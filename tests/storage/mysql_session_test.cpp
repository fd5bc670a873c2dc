// Tests of sessions, specific to MySQL and MariaDB: locks, read-only servers, TLS, time and error texts.
#include <soci/soci.h>

#include "mysql/connect.hpp"
#include "server.hpp"

namespace outbox::testing {
namespace {

TEST_CASE("locks, and connections that the server ends", "[mysql][b44][b49]") {
  OneRead one;

  SECTION("a locked row: the statement ends, the session goes on, and the other rows are deleted") {
    Application locker;
    locker("begin; select 1 from outbox_event where id = " + one.text + " for update");
    const long long before = one.app.Counted("Connections");
    CHECK(one.Confirm(Millis(2000)) == OUTBOX_REFUSED);
    // The confirm deletes all rows but the locked one. The relay does not wait a second time for a row that it knows to
    // be locked.
    std::vector<long long> others;
    for (int i = 0; i < 100; ++i) others.push_back(one.app.Insert("b" + std::to_string(i)));
    CHECK(one.relay.Reserve().size() == 100);
    others.push_back(one.id);
    CHECK(Caught([&] { one.relay.Confirm(others); }).code == OUTBOX_REFUSED);
    const auto begun = Clock::now();
    CHECK(Caught([&] { one.relay.Confirm({others.at(0), one.id}); }).code == OUTBOX_REFUSED);
    CHECK(one.Confirm(Millis(2000)) == OUTBOX_REFUSED);
    CHECK(Clock::now() - begun < std::chrono::milliseconds(900));
    others.pop_back();
    one.relay.Confirm(others);
    CHECK(one.app("select count(*) from outbox_event") == "1");
    const outbox_failure dead{one.row.row_id, one.row.event_id, Raw("test"), Raw("no"), 0, OUTBOX_DEAD, 0};
    CHECK(Caught([&] { one.relay.writing().ConfirmFailed({&dead, 1}); }).code == OUTBOX_TIMEOUT);
    locker("commit");
    CHECK(one.Confirm(Millis(2000)) == OUTBOX_OK);
    CHECK(one.app.Counted("Connections") == before);
    CHECK(one.app("select (select count(*) from outbox_event) + (select count(*) from outbox_dead)") == "0");
  }
  SECTION("a locked table that a trigger writes to: a timeout, and no row is refused") {
    Application locker;
    locker("create table removals (n bigint)");
    locker("insert into removals values (0)");
    locker("create trigger counts before delete on outbox_event for each row update removals set n = n + 1");
    locker("begin");
    locker("select 1 from removals for update");
    CHECK(one.Confirm(Millis(10'000)) == OUTBOX_TIMEOUT);
    locker("commit");
    CHECK(one.Confirm(Millis(6000)) == OUTBOX_OK);
    locker("drop table removals");
  }
}

TEST_CASE("a server that is read-only can become writable again", "[mysql][b51]") {
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
  // From a read-only server the relay reads no rows, because it could not confirm them; a relay that starts now waits.
  CHECK(checked.code == OUTBOX_UNAVAILABLE);
  CHECK(read.code == OUTBOX_UNAVAILABLE);
  // On a read-only server, a relay whose user is nevertheless allowed to write gets rows.
  CHECK(handed == Ids{id, later});
  mover.Confirm({id});
  CHECK(IdsOf(mover.Reserve()) == Ids{later});
  ready.app("drop user mover");
}

TEST_CASE("a failed connection is reported with its cause, and never with the password", "[mysql]") {
  const auto failure = [](const Json& instead) {
    const Error error = Caught([&] { mysql::Adapter adapter(Configured(instead), {0, 0, Millis(5000)}); });
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
  // The tested MariaDB has no TLS. The certificate of the tested MySQL cannot be verified, because the server has
  // created it.
  const Error tls = failure({{"tls", Application().IsMariadb() ? "require" : "verify"}});
  CHECK(tls.code == OUTBOX_BAD_CONFIG);
  CHECK(std::string(tls.what()).find("'tls'") != std::string::npos);
}

TEST_CASE("a connection that has to be encrypted is encrypted", "[mysql]") {
  if (Application().IsMariadb()) return;  // The tested MariaDB has no TLS.
  const auto cipher = [](const char* tls) {
    auto connected = mysql::Connect(Configured({{"tls", tls}})->CurrentOptions(), Millis(5000));
    return sql::RunBySoci(*connected.session, {"show session status like 'Ssl_cipher'", {}}).at(0).at(1);
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

TEST_CASE("times are right if the server has another time zone", "[mysql][b53]") {
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

TEST_CASE("no error text of an emit or of any statement shows a bound value", "[mysql]") {
  Ready ready;
  const auto shown = [](const Error& error) { return std::string(error.what()) + error.sqlstate; };
  std::vector<Error> errors;
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
  ready.app("alter table outbox_event modify payload json");
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

  const sql::Tables tables("outbox_event", '`');
  mysql::Client client(mysql::Connect(Configured()->CurrentOptions(), Millis(5000)), tables);
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
}

}  // namespace
}  // namespace outbox::testing
