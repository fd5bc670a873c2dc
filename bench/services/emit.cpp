// Inserts COUNT events in one transaction: emit DATABASE HOW COUNT. bench/emit-cost counts the instructions.
//   DATABASE  a file name for SQLite, or a connection string for PostgreSQL
//   HOW       emit: outbox::emit::Emit; bare: a handwritten INSERT of the same row, with an event id that is made in
//             advance; prepared: the INSERT of bare, as a statement that is prepared once. With "+header" appended, the
//             event has one header, which bare and prepared insert as JSON that is made in advance
#include <cstring>
#include <iostream>
#include <outbox/emit/libpq.hpp>
#include <outbox/emit/sqlite3.hpp>

namespace {

constexpr std::string_view kTopic = "orders", kType = "OrderPlaced", kKey = "order-1",
                           kHeaders = R"({"source":"shop"})", kEventId = "0192f6f4-7c1e-7bbb-8ccc-0123456789ab";
const std::string kPayload(200, 'x');

constexpr const char* kColumns =
    "insert into outbox_event (event_id, topic, aggregate_id, event_type, payload, headers) values ";

outbox::emit::NewEvent Event(bool header) {
  outbox::emit::NewEvent event{.topic = kTopic, .event_type = kType, .aggregate_id = kKey, .payload = kPayload};
  if (header) event.headers = {{"source", "shop"}};
  return event;
}

void Require(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);
}

void OnSqlite(const char* file, const std::string& how, bool header, int count) {
  sqlite3* db = nullptr;
  Require(sqlite3_open(file, &db) == SQLITE_OK, "open");
  Require(sqlite3_exec(db, "begin", nullptr, nullptr, nullptr) == SQLITE_OK, "begin");
  const std::string sql = std::string(kColumns) + "(?, ?, ?, ?, ?, ?)";
  outbox::detail::SqliteStatement statement;
  for (int i = 0; i < count; ++i) {
    if (how == "emit") {
      outbox::emit::Emit(db, Event(header));
      continue;
    }
    if (how == "bare" || !statement) {
      sqlite3_stmt* raw = nullptr;
      Require(sqlite3_prepare_v2(db, sql.c_str(), -1, &raw, nullptr) == SQLITE_OK, "prepare");
      statement.reset(raw);
    }
    int place = 0;
    for (const std::string_view value : {kEventId, kTopic, kKey, kType, std::string_view(kPayload)})
      outbox::detail::BindText(statement.get(), ++place, value);
    if (header) outbox::detail::BindText(statement.get(), ++place, kHeaders);
    Require(sqlite3_step(statement.get()) == SQLITE_DONE, "step");
    sqlite3_reset(statement.get());
  }
  statement.reset();
  Require(sqlite3_exec(db, "rollback", nullptr, nullptr, nullptr) == SQLITE_OK, "rollback");
  sqlite3_close(db);
}

void OnPostgres(const char* dsn, const std::string& how, bool header, int count) {
  PGconn* const db = PQconnectdb(dsn);
  Require(PQstatus(db) == CONNECTION_OK, "connect");
  PQclear(PQexec(db, "begin"));
  const std::string sql = std::string(kColumns) + "($1, $2, $3, $4, $5, $6)";
  PQclear(PQprepare(db, "insert", sql.c_str(), 6, nullptr));
  const char* const values[] = {kEventId.data(), kTopic.data(),    kKey.data(),
                                kType.data(),    kPayload.c_str(), header ? kHeaders.data() : nullptr};
  for (int i = 0; i < count; ++i) {
    if (how == "emit") {
      outbox::emit::Emit(db, Event(header));
      continue;
    }
    PGresult* const result = how == "bare" ? PQexecParams(db, sql.c_str(), 6, nullptr, values, nullptr, nullptr, 0)
                                           : PQexecPrepared(db, "insert", 6, values, nullptr, nullptr, 0);
    Require(PQresultStatus(result) == PGRES_COMMAND_OK, "insert");
    PQclear(result);
  }
  PQclear(PQexec(db, "rollback"));
  PQfinish(db);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) return 2;
  try {
    const bool postgres = std::strchr(arguments[1], '=') != nullptr;
    const std::string how = arguments[2];
    (postgres ? OnPostgres : OnSqlite)(arguments[1], how.substr(0, how.find('+')), how.find('+') != std::string::npos,
                                       std::stoi(arguments[3]));
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
