// Uses the client library on the connection that SOCI owns, with waits that are limited in time and can be cancelled.
//
// SOCI waits for the complete answer and keeps all of it in memory. But a statement of the relay must end when its time
// limit has passed, and a read of large rows must not hold the rows in memory twice. Values become literals in the text
// of a statement, as in SOCI. Parameters of the protocol would cost a second round trip for lists of ids, because each
// statement has a different list.
#pragma once

#include <mysql.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "mysql/connect.hpp"
#include "outbox/event.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::mysql {

// The row that was fetched last. It is valid until the next row is fetched.
class Fetched {
 public:
  explicit Fetched(MYSQL_RES* result) : result_(result), row_(mysql_fetch_row(result)) {
    if (row_ != nullptr) lengths_ = mysql_fetch_lengths(result_);
  }
  explicit operator bool() const { return row_ != nullptr; }
  [[nodiscard]] unsigned columns() const { return mysql_num_fields(result_); }
  [[nodiscard]] Bytes Maybe(unsigned i) const {
    if (row_[i] == nullptr) return std::nullopt;
    return std::string_view(row_[i], lengths_[i]);
  }
  [[nodiscard]] std::string_view Text(unsigned i) const { return Maybe(i).value_or(std::string_view("")); }
  [[nodiscard]] long long Number(unsigned i) const;  // returns 0 for NULL
  [[nodiscard]] std::size_t bytes() const;

 private:
  MYSQL_RES* result_;
  MYSQL_ROW row_;
  const unsigned long* lengths_ = nullptr;
};

// The connection of a session. The adapter owns it. Thread: the thread of the session, except Cancel.
class Client : public sql::Session {
 public:
  // REQUIRES: `tables` outlives this object.
  Client(Connected connected, const sql::Tables& tables);
  ~Client() override;

  // Begins a call of the relay that must end within `timeout`. Errors: throws OUTBOX_UNAVAILABLE if the connection is
  // lost.
  void Begin(Millis timeout);
  // Sets the maximum time for which each later statement waits for one lock. The server counts whole seconds.
  void LimitLocks(std::chrono::seconds limit);
  // Continues with the new connection `connected`, after the previous one was given up.
  void Adopt(Connected connected);
  // Cancels the call that is under way. Thread: any.
  void Cancel() noexcept;
  // Returns true if the relay itself has closed the connection, because a read left too many bytes unread, or because
  // the call was cancelled. The relay then continues with this session and another connection.
  [[nodiscard]] bool given_up() const { return given_up_ || cancelled_; }
  [[nodiscard]] bool PastHalf() const override { return Clock::now() > half_; }
  [[nodiscard]] bool InTransaction() const override { return (native_->server_status & SERVER_STATUS_IN_TRANS) != 0; }
  [[nodiscard]] const Server& server() const { return server_; }
  // Returns the server's last error message, without the values that it quotes.
  [[nodiscard]] const std::string& failure() const { return failure_; }

  [[nodiscard]] std::string Literal(const Bytes& text) const;
  [[nodiscard]] std::string Binary(const Bytes& bytes) const;  // returns a literal for any bytes

  // Runs a query and passes the rows of the answer to `take`, one at a time, until `take` returns false. The remaining
  // rows are skipped or, if they are many bytes, the connection is given up.
  void Read(const std::string& sql, const std::function<bool(const Fetched&)>& take);
  // Runs a query as a dirty read, which also returns rows that other transactions have written and not committed.
  // Returns the numbers in the query's only column, in ascending order.
  std::vector<long long> ReadDirty(const std::string& sql);
  // Executes a statement and returns the number of rows that the statement has changed. Outside of a transaction, the
  // statement is repeated after a conflict with another transaction, but not after a lock wait timeout.
  std::uint64_t Execute(const std::string& sql);
  void Script(const std::string& sql) override { (void)Execute(sql); }

  sql::Rows Run(const sql::Statement& statement) override;
  // Runs the statements in one transaction and sends all of them at once, so a relay that is stopped at any moment
  // leaves no open transaction with its locks. Any error undoes all statements, even a lock wait timeout, for which the
  // server itself undoes only one statement.
  std::vector<sql::Rows> RunTogether(const std::vector<sql::Statement>& statements) override;

 private:
  using Clock = std::chrono::steady_clock;
  struct FreeResult {
    void operator()(MYSQL_RES* result) const { mysql_free_result(result); }
  };
  using ResultPtr = std::unique_ptr<MYSQL_RES, FreeResult>;

  void LimitOnServer();
  // Returns the SQL of the statement with its values as literals.
  [[nodiscard]] std::string Filled(const sql::Statement& statement) const;
  // Sends one or several statements and waits for the beginning of the answer. Returns false after an error, which
  // Failure() explains.
  [[nodiscard]] bool Ask(const std::string& sql);
  // Reads the answer to its end, and adds the rows of each statement to `answers`. Returns false after an error, which
  // Failure() explains.
  [[nodiscard]] bool TakeAll(std::vector<sql::Rows>& answers);
  // Executes statements and returns their answers. `alone` is true if no transaction was open before the statements. If
  // `alone` is true, an error rolls back a transaction that the statements have begun, and the statements are repeated
  // after a conflict, but not after a lock wait timeout.
  std::vector<sql::Rows> Complete(const std::string& sql, bool alone);
  void AwaitAnswer();
  void GiveUp() noexcept;
  void Close() noexcept;
  [[nodiscard]] Error Failure();

  const sql::Tables& tables_;
  Server server_;
  std::unique_ptr<soci::session> session_;
  MYSQL* native_ = nullptr;
  std::mutex mutex_;  // guards socket_, which Cancel uses from any thread
  // A duplicate of the connection's descriptor, because the client library may close its own descriptor after any
  // error.
  int socket_ = -1;
  std::atomic<bool> cancelled_ = false;
  bool gone_ = false, given_up_ = false;
  Millis timeout_{0}, server_limit_{0};
  std::chrono::seconds lock_limit_{3600}, server_lock_limit_{0};
  std::uint64_t changed_ = 0;
  std::string failure_;
  Clock::time_point deadline_ = Clock::time_point::max(), half_ = Clock::time_point::max();
};

}  // namespace outbox::mysql
