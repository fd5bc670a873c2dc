// Tests of the helpers for applications that use MySQL or MariaDB: emit and inbox. OUTBOX_TEST_MYSQL contains the
// plugin's options as JSON.
#include <outbox/emit/mysql.hpp>
#include <outbox/inbox/mysql.hpp>
#include <outbox/soci/mysql.hpp>

#include "emit_cases.hpp"
#include "inbox_cases.hpp"
#include "rig.hpp"

namespace {

using outbox::testing::EmitCases;
using outbox::testing::InboxCases;

struct Mysql {
  static constexpr bool kBinaryPayload = true;

  static outbox::testing::Relay MakeRelay() {
    const std::string database = outbox::testing::Server().at("database");
    outbox::testing::Application application;
    application("drop database " + database);
    application("create database " + database + " character set latin1");
    outbox::testing::Relay relay(outbox::testing::Configured());
    relay.writing().ApplySchema({});
    relay.Reconnect();
    relay.Heartbeat();
    return relay;
  }
  static std::string Table() { return outbox::inbox::MysqlTable(); }
  static void Script(soci::session& session, const std::string& sql) { session << sql; }
  static soci::session Open() {
    const auto options = outbox::testing::Server();
    const auto text = [&](const char* key) { return options.at(key).get<std::string>(); };
    return soci::session(soci::mysql, "host=" + text("host") +
                                          " port=" + std::to_string(options.at("port").get<int>()) +
                                          " db=" + text("database") + " user=" + text("user") + " password='" +
                                          text("password") + "' charset=utf8mb4");
  }
  static MYSQL* Native(soci::session& session) { return outbox::soci_mysql::Native(session); }
  static void PrepareStrictOrder(soci::session& session) {
    session << "create table outbox_event_lock (slot smallint not null primary key)";
    session
        << "insert into outbox_event_lock with recursive n (i) as (select 0 union all select i + 1 from n where i < 31)"
           " select 32 * a.i + b.i from n a, n b";
  }
  static void WaitUntilSomebodyWaits() {
    outbox::testing::Application application;
    // If the server is asked about its transactions again within 0.1 s, it repeats its previous answer, so the loop
    // waits longer.
    while (application("select count(*) from information_schema.innodb_trx where trx_state = 'LOCK WAIT'") == "0")
      std::this_thread::sleep_for(std::chrono::milliseconds(120));
  }
};

}  // namespace

OUTBOX_EMIT_CASES(Mysql)
OUTBOX_INBOX_CASES(Mysql)

TEST_CASE("the inbox waits for a consumer that is processing the event") {
  InboxCases<Mysql>::WaitsForTheConsumerOfTheEvent();
}

TEST_CASE("strict order waits for the key, and reports the table that it needs") {
  {
    auto relay = Mysql::MakeRelay();
    auto session = Mysql::Open();
    session << "create table outbox_event_lock (slot smallint not null primary key)";
    session.begin();
    const auto event = EmitCases<Mysql>::Placed("k");
    CHECK(EmitCases<Mysql>::Refused([&] {
            outbox::emit::Emit(Mysql::Native(session), event, {.strict_order = true});
          }) == outbox::emit::EmitCode::kBadOptions);
  }
  EmitCases<Mysql>::StrictOrderWaitsForTheKey();
}

TEST_CASE("a value that a column would truncate is refused") {
  auto relay = Mysql::MakeRelay();
  auto session = Mysql::Open();
  session.begin();
  const std::string key(256, 'k');
  CHECK(EmitCases<Mysql>::Refused([&] {
          outbox::emit::Emit(Mysql::Native(session), EmitCases<Mysql>::Placed(key.c_str()));
        }) == outbox::emit::EmitCode::kBadValue);
  outbox::emit::Emit(Mysql::Native(session), EmitCases<Mysql>::Placed(std::string(255, 'k').c_str()));
}

TEST_CASE("with autocommit off a transaction is always open") {
  auto relay = Mysql::MakeRelay();
  auto session = Mysql::Open();
  session << "set autocommit = 0";
  outbox::emit::Emit(Mysql::Native(session), EmitCases<Mysql>::Placed("k"));
  CHECK(relay.Reserve().empty());
  session << "commit";
  CHECK(relay.Reserve().size() == 1);
}
