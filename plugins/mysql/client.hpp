// The client library on the connection that SOCI owns, with waits that end and can be cancelled.
//
// SOCI waits for a whole answer and keeps all of it; a statement of the relay must end when its time is up, and a read of
// large rows must not hold them twice. Values go into the text of a statement as literals, as SOCI does it too: the
// protocol's own parameters would cost a second round trip for lists of ids, which differ each time.
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

// The row that was fetched last; gone with the next one.
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
  [[nodiscard]] long long Number(unsigned i) const;  // 0 for NULL
  [[nodiscard]] std::size_t bytes() const;

 private:
  MYSQL_RES* result_;
  MYSQL_ROW row_;
  const unsigned long* lengths_ = nullptr;
};

class Client : public sql::Session {
 public:
  Client(Connected connected, const sql::Tables& tables);
  ~Client() override;

  void Begin(Millis timeout);  // of each call
  // From here on, how long a statement may wait for one lock; the server counts in whole seconds.
  void LimitLocks(std::chrono::seconds limit);
  void Adopt(Connected connected);  // in place of one that was given up
  void Cancel() noexcept;           // any thread
  // The connection was given up by ourselves, so the relay goes on with this session and a new one.
  [[nodiscard]] bool given_up() const { return given_up_ || cancelled_; }
  [[nodiscard]] bool PastHalf() const override { return Clock::now() > half_; }
  [[nodiscard]] bool InTransaction() const override { return (native_->server_status & SERVER_STATUS_IN_TRANS) != 0; }
  [[nodiscard]] const Server& server() const { return server_; }
  [[nodiscard]] const std::string& failure() const { return failure_; }  // the server's last message, redacted

  [[nodiscard]] std::string Literal(const Bytes& text) const;
  [[nodiscard]] std::string Binary(const Bytes& bytes) const;  // whatever bytes

  // One row at a time until `take` returns false. What is left then is passed over, or, where that would be long, the
  // connection is given up.
  void Read(const std::string& sql, const std::function<bool(const Fetched&)>& take);
  // Also what others have written and not committed: the numbers of the one column, ascending.
  std::vector<long long> ReadDirty(const std::string& sql);
  // Outside of a transaction a conflict with another one is tried again. Returns the number of rows changed.
  std::uint64_t Execute(const std::string& sql);
  void Script(const std::string& sql) override { (void)Execute(sql); }

  sql::Rows Run(const sql::Statement& statement) override;
  // All of it is sent at once: no transaction waits, with its locks, for a relay that was stopped in the middle. Undone
  // as a whole by an error, also by a lock wait, for which the server undoes one statement only.
  std::vector<sql::Rows> RunTogether(const std::vector<sql::Statement>& statements) override;

 private:
  using Clock = std::chrono::steady_clock;
  struct FreeResult {
    void operator()(MYSQL_RES* result) const { mysql_free_result(result); }
  };
  using ResultPtr = std::unique_ptr<MYSQL_RES, FreeResult>;

  void LimitOnServer();
  [[nodiscard]] std::string Filled(const sql::Statement& statement) const;
  // Sends and waits for the beginning of the answer. False = the server's error is to be looked at.
  [[nodiscard]] bool Ask(const std::string& sql);
  // The rest of the answer to one or several statements, whole. False likewise.
  [[nodiscard]] bool TakeAll(std::vector<sql::Rows>& answers);
  std::vector<sql::Rows> Complete(const std::string& sql, bool alone);
  void AwaitAnswer();
  void GiveUp() noexcept;
  void Close() noexcept;
  [[nodiscard]] Error Failure();

  const sql::Tables& tables_;
  Server server_;
  std::unique_ptr<soci::session> session_;
  MYSQL* native_ = nullptr;
  std::mutex mutex_;  // guards socket_ against Cancel
  int socket_ = -1;   // a second descriptor of the connection's: the library may close its own at any error
  std::atomic<bool> cancelled_ = false;
  bool gone_ = false, given_up_ = false;
  Millis timeout_{0}, server_limit_{0};
  std::chrono::seconds lock_limit_{3600}, server_lock_limit_{0};
  std::uint64_t changed_ = 0;
  std::string failure_;
  Clock::time_point deadline_ = Clock::time_point::max(), half_ = Clock::time_point::max();
};

}  // namespace outbox::mysql
