// libpq with every wait bounded and cancellable.
//
// SOCI's statements, and the one that it runs on connecting, wait without end for a server that went silent; it passes
// parameters as C strings, names each prepared statement anew, and makes settings when it connects. So everything goes
// this way.
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

// A parameter; the bytes must live until the call returns.
struct Parameter {
  Bytes bytes;
  bool binary = false;
};

std::int64_t GetNumber(std::string_view bytes);  // of 2, 4 or 8 binary bytes; 0 for none

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

  void Begin(Millis timeout);  // of each call
  // How long the statements from here on may wait for one lock; at first as long as for anything else. Shorter than a
  // statement may take, so that the two are told apart.
  void LimitLocks(Millis limit) { limits_.locks = std::min(limit, limits_.statement / 2); }
  // In place of one that was given up; not owned.
  void Adopt(Native connection, Millis timeout);
  // From here on the session is the relay's own: it gets the relay's settings, and statements are prepared in it. Before,
  // each call leaves the session as it found it, because a pooler may hand it on to somebody else: what a call needs is
  // set for its own transaction only, and nothing is prepared.
  void Own();
  [[nodiscard]] bool owned() const { return owned_; }
  // The number of the server's process as it was given at the beginning of the connection. A pooler gives another one.
  [[nodiscard]] int announced_pid() const { return PQbackendPID(connection_.get()); }
  // Where this connection leads, as keywords that override those of a connection string with several hosts.
  [[nodiscard]] std::string Address() const;
  void Cancel() noexcept;  // any thread
  // The last call was cancelled: the relay goes on with this session, but the connection is amid an answer.
  [[nodiscard]] bool cancelled_before() const { return broken_ && cancelled_; }
  [[nodiscard]] bool PastHalf() const override { return Clock::now() > half_; }
  [[nodiscard]] bool InTransaction() const override { return PQtransactionStatus(connection_.get()) != PQTRANS_IDLE; }
  [[nodiscard]] bool CanCommit() const override { return PQtransactionStatus(connection_.get()) == PQTRANS_INTRANS; }

  // Parsed and planned once a connection, if the session is owned.
  void Prepare(const std::string& name, const std::string& sql, const std::vector<Oid>& types);
  // Binary results. A conflict with another transaction is tried again, unless this one is part of a transaction.
  Result Execute(const std::string& prepared, const std::vector<Parameter>& parameters);
  void Script(const std::string& sql) override;  // in one transaction of their own

  void RollBack() noexcept;  // ends a transaction, where the connection still works
  // As the connection finds them: without the schema that a search path leads to.
  [[nodiscard]] const sql::Tables& given() const { return tables_; }
  // Of the last statement that the server refused.
  struct LastFailure {
    std::string message, context;
    std::string holder;  // where it waited for a lock of the whole outbox: whose
    // A trigger or function raised it, or it was waiting for a row.
    [[nodiscard]] bool within_function() const { return !context.empty(); }
  };
  [[nodiscard]] const LastFailure& failure() const { return failure_; }

  // Waits for a NOTIFY on a channel that this session listens to. False = none within the call's timeout.
  [[nodiscard]] bool AwaitNotification();

  sql::Rows Run(const sql::Statement& statement) override;
  // All of it is sent at once: no transaction waits, with its locks, for a relay that was stopped in the middle.
  std::vector<sql::Rows> RunTogether(const std::vector<sql::Statement>& statements) override;

 private:
  using Clock = std::chrono::steady_clock;
  void LimitOnServer();
  template <class Send>
  Result Ask(Send send);
  // What is sent is one transaction, without begin and commit. The results, without that of the settings.
  template <class Send>
  std::vector<Result> AskTogether(Send send);
  void SendSettingsOfCall();
  Result Await();    // the one result of a simple question
  PGresult* Next();  // null = no more
  void Flush();
  void Wait(bool also_writing);
  [[nodiscard]] bool WaitInTime(bool also_writing);  // false = no time is left, or it was cancelled
  [[noreturn]] void Throw(const Result& result);
  // Explains a refusal that a setting of the role may have caused: rolls back, then asks the server for more.
  [[nodiscard]] Error ExplainBySurroundings(const std::string& state, LastFailure& failure);
  [[nodiscard]] Error Lost();

  Native connection_;
  const sql::Tables& tables_;
  const int wake_;  // eventfd: ends a wait
  std::atomic<bool> cancelled_ = false;
  bool broken_ = false;
  bool owned_ = false;
  LastFailure failure_;
  bool explaining_ = false;
  std::map<std::string, std::string> prepared_;  // by Run: name by SQL; what a relay asks is a handful of statements
  struct Text {
    std::string sql;
    std::vector<Oid> types;
  };
  std::map<std::string, Text> texts_;  // by Prepare, while the session was not owned: by name
  Limits limits_, server_limits_;      // wanted, and set in a session that is owned
  Millis timeout_{0};
  Clock::time_point deadline_ = Clock::time_point::max(), half_ = Clock::time_point::max();
};

}  // namespace outbox::postgres
