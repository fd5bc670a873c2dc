// Tests of the helpers for applications that use PostgreSQL: emit and inbox. OUTBOX_TEST_POSTGRES is a connection
// string of a superuser of an otherwise empty server.
#include <outbox/emit/libpq.hpp>
#include <outbox/inbox/libpq.hpp>
#include <outbox/soci/postgresql.hpp>

#include "emit_cases.hpp"
#include "inbox_cases.hpp"
#include "postgres/adapter.hpp"

namespace {

using outbox::testing::EmitCases;
using outbox::testing::InboxCases;
namespace emit = outbox::emit;

struct Postgres {
  using Relay = outbox::testing::Driver<outbox::postgres::Adapter, outbox::postgres::Config>;
  static constexpr bool kBinaryPayload = false;

  static std::string Server() {
    const char* const server = std::getenv("OUTBOX_TEST_POSTGRES");
    if (server == nullptr) throw std::runtime_error("OUTBOX_TEST_POSTGRES is not set: run on_a_server.py");
    return server;
  }
  static Relay MakeRelay(const std::string& payload = "") {
    auto session = Open();
    PQsetNoticeProcessor(
        Native(session), [](void*, const char*) {}, nullptr);
    session << "drop schema public cascade";
    session << "create schema public";
    Relay relay(std::make_shared<outbox::postgres::Config>(R"({"connection": ")" + Server() + "\"}", nullptr));
    relay.writing().ApplySchema({0, payload});
    relay.Reconnect();
    relay.Heartbeat();
    return relay;
  }
  static std::string Table() { return outbox::inbox::PostgresTable(); }
  static void Script(soci::session& session, const std::string& sql) {
    PQclear(PQexec(Native(session), ("set client_min_messages = warning;" + sql).c_str()));
  }
  static soci::session Open() { return soci::session(soci::postgresql, Server()); }
  static PGconn* Native(soci::session& session) { return outbox::soci_postgresql::Native(session); }
  static void PrepareStrictOrder(soci::session&) {}
  static void WaitUntilSomebodyWaits() {
    auto session = Open();
    for (int waiting = 0; waiting == 0;) {
      session << "select count(*) from pg_locks where not granted", soci::into(waiting);
      std::this_thread::yield();
    }
  }
};

}  // namespace

OUTBOX_EMIT_CASES(Postgres)
OUTBOX_INBOX_CASES(Postgres)

TEST_CASE("the inbox waits for a consumer that is processing the event") {
  InboxCases<Postgres>::WaitsForTheConsumerOfTheEvent();
}

TEST_CASE("strict order waits for the key") { EmitCases<Postgres>::StrictOrderWaitsForTheKey(); }

TEST_CASE("a failed transaction is reported before the server is asked") {
  auto relay = Postgres::MakeRelay();
  auto session = Postgres::Open();
  session.begin();
  CHECK_THROWS(session << "select 1 / 0");
  const auto event = EmitCases<Postgres>::Placed("k");
  CHECK(EmitCases<Postgres>::Refused([&] { emit::Emit(Postgres::Native(session), event); }) ==
        emit::EmitCode::kNoTransaction);
  session.rollback();
}

TEST_CASE("the payload may be bytea or jsonb") {
  const std::string bytes("\0a\xff\\'\0", 6), json = R"({"a": 1})";
  for (const bool jsonb : {false, true}) {
    auto relay = Postgres::MakeRelay(jsonb ? "jsonb" : "bytea");
    auto session = Postgres::Open();
    session.begin();
    const std::string& payload = jsonb ? json : bytes;
    emit::Emit(Postgres::Native(session),
               {.topic = "orders", .event_type = "t", .aggregate_id = "k", .payload = payload},
               {.jsonb_payload = jsonb});
    session.commit();
    const auto taken = relay.Reserve();
    REQUIRE(taken.size() == 1);
    CHECK(taken[0].payload == payload);
  }
}

TEST_CASE("the server's error about a refused payload is reported without the payload") {
  auto relay = Postgres::MakeRelay("jsonb");
  auto session = Postgres::Open();
  session.begin();
  try {
    emit::Emit(Postgres::Native(session), {.topic = "orders", .event_type = "t", .payload = "secret"},
               {.jsonb_payload = true});
    FAIL("accepted");
  } catch (const emit::EmitError& error) {
    CHECK(error.code == emit::EmitCode::kDatabase);
    CHECK(error.sqlstate == "22P02");
    CHECK(std::string(error.what()).find("secret") == std::string::npos);
  }
}
