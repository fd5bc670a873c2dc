// Connects the tests to PostgreSQL. `Database` contains the details of the server that the tests for all servers need.
// OUTBOX_TEST_POSTGRES is a connection string of a superuser of an otherwise empty server.
#pragma once

#include <libpq-fe.h>

#include <cstdlib>

#include "application.hpp"
#include "driver.hpp"
#include "postgres/adapter.hpp"
#include "tests/catch.hpp"
#include "version_1.hpp"

namespace outbox::testing {

using Relay = Driver<postgres::Adapter, postgres::Config>;

inline std::string Server() {
  const char* const server = std::getenv("OUTBOX_TEST_POSTGRES");
  if (server == nullptr) throw std::runtime_error("OUTBOX_TEST_POSTGRES is not set: run on_a_server.py");
  return server;
}

inline std::shared_ptr<postgres::Config> Configured(const std::string& connection = Server(),
                                                    const std::string& table = "outbox_event") {
  return std::make_shared<postgres::Config>(R"({"connection": ")" + connection + R"(", "table": ")" + table + "\"}",
                                            nullptr);
}

// The role of the application that writes events, on a connection of its own.
class Application : public SqlSession {
 public:
  explicit Application(const std::string& connection = Server()) : db_(PQconnectdb(connection.c_str())) {
    REQUIRE(PQstatus(db_) == CONNECTION_OK);
    PQsetNoticeProcessor(
        db_, [](void*, const char*) {}, nullptr);
  }
  ~Application() override { PQfinish(db_); }

  // Inserts a row with the key `key`, and returns the row id.
  long long Insert(const std::string& key, const std::string& payload = "{}") {
    return std::stoll(
        (*this)("insert into outbox_event (topic, aggregate_id, event_type, payload) values ('orders', '" + key +
                "', 'Placed', '" + payload + "') returning id"));
  }

 private:
  std::string Execute(const std::string& sql, std::string& value) override {
    PGresult* const result = PQexec(db_, sql.c_str());
    const std::string message = PQresultErrorMessage(result);
    value = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
    PQclear(result);
    return message;
  }

  PGconn* db_;
};

struct Database {
  using Adapter = postgres::Adapter;

  static constexpr const char* kNoSuchTable = "42P01";  // The SQLSTATE of a missing table.
  static constexpr const char* kTruncate = "truncate outbox_event restart identity";
  static constexpr const char *kBeginPrepared = "begin", *kPrepare = "prepare transaction 'late'",
                              *kCommitPrepared = "commit prepared 'late'";
  // The time after which a missing id counts as rolled back. It is 0, because PostgreSQL shows which transactions are
  // open.
  static constexpr Millis kPatience{0};

  static void DropTables(Application& app) { app("drop schema public cascade; create schema public"); }
  // Returns SQL for the shard of the key that the SQL expression `key` yields, in an outbox with two shards.
  static std::string ShardOf(const std::string& key) { return "hashtext(" + key + ") & 1"; }
  // Returns a subquery with the numbers from 1 to `count` in its column `g`.
  static std::string Numbers(long long count) {
    return "(select generate_series(1, " + std::to_string(count) + ") as g)";
  }
  // Makes one read, which is enough because a read returns late rows together with newer rows.
  static Ids ReadBehindLate(Relay& relay) { return IdsOf(relay.Reserve()); }
  static void OutlastPatience(Relay& relay) {
    for (int i = 0; i < 5; ++i) CHECK(relay.Reserve().empty());
  }
  static void CheckNoIdIsAwaited(Application&, Relay& relay) { CHECK(relay.Reserve().empty()); }
  // Returns a number that grows with each transaction that has written.
  static long long Written(Application& app) {
    return std::stoll(app("select txid_snapshot_xmax(txid_current_snapshot())"));
  }
  static void EndSessions(Application& app) {
    app("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'outbox-relay'");
  }

  // SQL for a summary of the tables: the rows of all tables but outbox_meta, and the transactions that changed the
  // tables last.
  static constexpr const char* kState =
      "select concat_ws(' ', (select count(*) from outbox_event),"
      " (select string_agg(concat_ws(' ', shard, owner, token), ',' order by shard) from outbox_shard),"
      " (select string_agg(concat_ws(' ', relay_id, expires), ',') from outbox_relay),"
      " (select string_agg(concat_ws(' ', relname, xmin), ',' order by oid) from pg_class))";
  static constexpr const char* kVersion1 = kPostgresVersion1;
  static constexpr const char* kVersion1Rows =
      "select concat_ws(' ', (select string_agg(e::text, ' ' order by id) from outbox_event e),"
      " (select string_agg(concat_ws(' ', row_id, event_id, aggregate_id, attempts, next_try, reason), ' ' order by "
      "row_id) from outbox_retry),"
      " (select string_agg(concat_ws(' ', row_id, event_id, payload, attempts), ' ') from outbox_dead), (select "
      "string_agg(concat_ws(' ', relay_id, expires), ' ') from outbox_relay),"
      " (select string_agg(concat_ws(' ', shard, owner, token, state, suspect), ' ') from outbox_shard))";
  static constexpr const char* kRetryIndexes = "select count(*) from pg_indexes where tablename like 'outbox\\_retry'";
  static void RunScript(Application& app, const std::string& sql) { app(sql); }

  // Creates a user who has no rights in the schema `sales`.
  static void MakeMover(Application& app) { app("create role mover login"); }
  static void DropMover(Application& app) { app("drop schema sales cascade; drop owned by mover; drop role mover"); }
  static std::shared_ptr<postgres::Config> SalesConfig() { return Configured(Server(), "sales.shop_event"); }
  static std::shared_ptr<postgres::Config> MoverConfig() {
    return Configured(Server() + " user=mover", "sales.shop_event");
  }
  static constexpr std::size_t kRightsToGrant = 7;  // One right for each table, and one for the schema.
  static std::vector<Finding> MissingRights(Relay& relay) { return relay.writing().CheckSchema(); }
};

}  // namespace outbox::testing
