// A connection through libpq, in which every wait is bounded and can be cancelled.
//
// SOCI is not used, for four reasons: its statements, and the statement that it runs when it connects, wait forever
// for a server that has gone silent; it passes parameters as C strings; it prepares each statement under a new name;
// and it changes settings when it connects.
#pragma once

#include <libpq-fe.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "outbox/event.hpp"
#include "postgres/connect.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// A parameter of a statement. REQUIRES: the bytes live until the call returns.
struct Parameter {
  Bytes bytes;
  bool binary = false;
};

std::int64_t GetNumber(std::string_view bytes);  // decodes 2, 4 or 8 binary bytes; returns 0 if there are no bytes

class Result {
 public:
  explicit Result(PGresult* raw) : raw_(raw, PQclear) {}
  [[nodiscard]] int rows() const { return PQntuples(raw_.get()); }
  [[nodiscard]] int columns() const { return PQnfields(raw_.get()); }
  [[nodiscard]] bool IsNull(int row, int column) const { return PQgetisnull(raw_.get(), row, column) != 0; }
  [[nodiscard]] Bytes Maybe(int row, int column) const {
    if (IsNull(row, column)) return std::nullopt;
    return std::string_view(PQgetvalue(raw_.get(), row, column),
                            static_cast<std::size_t>(PQgetlength(raw_.get(), row, column)));
  }
  [[nodiscard]] std::string_view Text(int row, int column) const { return Maybe(row, column).value_or(""); }
  [[nodiscard]] std::int64_t Number(int row, int column) const { return GetNumber(Text(row, column)); }
  [[nodiscard]] PGresult* raw() const { return raw_.get(); }

 private:
  std::unique_ptr<PGresult, decltype(&PQclear)> raw_;
};

class Client : public sql::Session {
 public:
  Client(Native connection, const sql::Tables& tables, Millis timeout);
  ~Client() override;

  void Begin(Millis timeout);  // starts a call with this time limit
  // Sets how long each of the following statements may wait for one lock. By default only the time limit of the
  // statement applies. The limit is kept below that of the statement, so that the server's error shows which of the
  // two was exceeded.
  void LimitLocks(Millis limit) { limits_.locks = std::min(limit, limits_.statement / 2); }
  // Makes `connection` the connection of this client, in place of one that can no longer be used. The new session is
  // not the relay's own before Own() is called.
  void Adopt(Native connection, Millis timeout);
  // Makes the session the relay's own: it gets the relay's settings, and statements are prepared in it. Before that,
  // each call leaves the session as it was, because a pooler may assign it to another client: the settings of a call
  // apply only to its own transaction, and nothing is prepared.
  void Own();
  [[nodiscard]] bool owned() const { return owned_; }
  // Returns the process id of the server as it was announced when the connection began. A pooler announces another
  // number.
  [[nodiscard]] int announced_pid() const { return PQbackendPID(connection_.get()); }
  // Returns the address of the server that was reached, as keywords that override those of a connection string with
  // several hosts.
  [[nodiscard]] std::string Address() const;
  void Cancel() noexcept;  // Thread: any
  // Returns true if the last call was cancelled. The relay continues to use its session of the store, but the
  // connection to the server is in the middle of an answer and has to be replaced.
  [[nodiscard]] bool cancelled_before() const { return broken_ && cancelled_; }
  [[nodiscard]] bool PastHalf() const override { return Clock::now() > half_; }
  [[nodiscard]] bool InTransaction() const override { return PQtransactionStatus(connection_.get()) != PQTRANS_IDLE; }
  [[nodiscard]] bool CanCommit() const override { return PQtransactionStatus(connection_.get()) == PQTRANS_INTRANS; }

  // Prepares a statement. If the session is owned, the statement is parsed and planned once per connection.
  void Prepare(const std::string& name, const std::string& sql, const std::vector<Oid>& types);
  // Runs a prepared statement; the results are binary. After a conflict with another transaction the statement is
  // repeated, unless it is part of a transaction.
  Result Execute(const std::string& prepared, const std::vector<Parameter>& parameters);
  void Script(const std::string& sql) override;  // runs the statements in one transaction of their own

  void RollBack() noexcept;  // ends the transaction, if the connection still works
  // Returns the tables as configured, without a schema that was determined from the search path.
  [[nodiscard]] const sql::Tables& given() const { return tables_; }
  // The last error that the server reported for a statement.
  struct LastFailure {
    std::string message, context;
    // The holder of the lock on the whole outbox for which the statement waited; "" = the statement waited for no such
    // lock, or the holder is not known.
    std::string holder;
    // Returns true if a trigger or a function raised the error, or if the statement was waiting for a row lock. The
    // server then reports a context.
    [[nodiscard]] bool within_function() const { return !context.empty(); }
  };
  [[nodiscard]] const LastFailure& failure() const { return failure_; }

  // Waits for a NOTIFY on a channel to which this session listens. Returns false if none arrives within the call's
  // timeout.
  [[nodiscard]] bool AwaitNotification();

  sql::Rows Run(const sql::Statement& statement) override;
  // Sends all statements at once. So no transaction stays open, with its locks, if the relay is stopped between two of
  // the statements.
  std::vector<sql::Rows> RunTogether(const std::vector<sql::Statement>& statements) override;

 private:
  using Clock = std::chrono::steady_clock;
  void LimitOnServer();
  template <class Send>
  Result Ask(Send send);
  // Runs all statements that send() sends as one transaction, without BEGIN and COMMIT. Returns their results, without
  // the result of the statement that applies the settings of the call.
  template <class Send>
  std::vector<Result> AskTogether(Send send);
  void SendSettingsOfCall();
  Result Await();    // returns the one result of a simple query
  PGresult* Next();  // returns null if there are no more results
  void Flush();
  void Wait(bool also_writing);
  [[nodiscard]] bool WaitInTime(bool also_writing);  // returns false if the time is up, or if the call was cancelled
  [[noreturn]] void Throw(const Result& result);
  // Explains an error whose cause may lie outside the statement, such as a setting of the role or a lock. Rolls back
  // the transaction first, and then queries the server for the cause.
  [[nodiscard]] Error ExplainBySurroundings(const std::string& state, LastFailure& failure);
  [[nodiscard]] Error Lost();

  Native connection_;
  const sql::Tables& tables_;
  const int wake_;  // an eventfd that ends a wait
  std::atomic<bool> cancelled_ = false;
  bool broken_ = false;
  bool owned_ = false;
  LastFailure failure_;
  bool explaining_ = false;
  // The names of the statements that Run() has prepared, by their SQL. A relay uses only a few different statements.
  std::map<std::string, std::string> prepared_;
  struct Text {
    std::string sql;
    std::vector<Oid> types;
  };
  std::map<std::string, Text> texts_;  // statements given to Prepare() before the session was owned, by name
  Limits limits_, server_limits_;      // the wanted limits, and those that are set in the owned session
  Millis timeout_{0};
  Clock::time_point deadline_ = Clock::time_point::max(), half_ = Clock::time_point::max();
};

}  // namespace outbox::postgres
