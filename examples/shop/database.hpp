// A minimal wrapper for a connection to PostgreSQL, with only the functions that the shop needs.
#pragma once

#include <libpq-fe.h>

#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace shop {

// Thrown if the connection is lost or the server reports an error. The caller has to roll the transaction back.
struct DatabaseError : std::runtime_error {
  using runtime_error::runtime_error;
};

// A connection to a PostgreSQL database. Thread: one thread at a time.
class Database {
 public:
  explicit Database(const std::string& dsn) : connection_(PQconnectdb(dsn.c_str())) {
    PQsetNoticeProcessor(
        connection_.get(), [](void*, const char*) {}, nullptr);
    if (PQstatus(connection_.get()) != CONNECTION_OK) throw DatabaseError(PQerrorMessage(connection_.get()));
  }

  // Runs a statement and returns the first column of its first row, or an empty string if there is no row.
  std::string Run(const char* sql, std::initializer_list<std::string> values = {}) {
    std::vector<const char*> raw;
    for (const std::string& value : values) raw.push_back(value.c_str());
    PGresult* const result =
        PQexecParams(connection_.get(), sql, static_cast<int>(raw.size()), nullptr, raw.data(), nullptr, nullptr, 0);
    const auto status = PQresultStatus(result);
    const std::string error =
        status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? "" : PQresultErrorMessage(result);
    const std::string value = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
    PQclear(result);
    if (!error.empty()) throw DatabaseError(error);
    return value;
  }

  [[nodiscard]] PGconn* native() const { return connection_.get(); }

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  std::unique_ptr<PGconn, Finish> connection_;
};

// A transaction that is rolled back at the end of its scope unless Commit() was called.
class Transaction {
 public:
  explicit Transaction(Database& database) : database_(database) { database_.Run("begin"); }
  ~Transaction() {
    if (open_) PQclear(PQexec(database_.native(), "rollback"));
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void Commit() {
    database_.Run("commit");
    open_ = false;
  }

 private:
  Database& database_;
  bool open_ = true;
};

}  // namespace shop
