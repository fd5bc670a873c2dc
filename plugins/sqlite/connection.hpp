// One connection to the database file, which SOCI opens. The calls on this connection are bounded in time and can be
// cancelled. Rows are read and confirmed through SQLite's own handle.
#pragma once

#include <sqlite3.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "outbox/event.hpp"
#include "sql/statements.hpp"

namespace outbox::sqlite {

class Connection;

// A prepared statement, for the statements that run most often. It has at most one execution under way, which Reset()
// ends.
class Prepared {
 public:
  Prepared(Connection& connection, const std::string& sql);
  Prepared(Prepared&& other) noexcept : connection_(other.connection_), raw_(std::exchange(other.raw_, nullptr)) {}
  Prepared& operator=(Prepared&&) = delete;
  ~Prepared() { sqlite3_finalize(raw_); }

  // Ends the execution that is under way, and begins another one with `values` as its parameters. REQUIRES: the values
  // live until the last Step, because they are not copied.
  template <class... Values>
  Prepared& Bind(const Values&... values) {
    Reset();
    int i = 0;
    (BindOne(++i, values), ...);
    return *this;
  }
  // Advances to the next row. Returns false if there is no further row.
  [[nodiscard]] bool Step();
  void Execute() {
    while (Step()) {
    }
    Reset();
  }
  void Reset() { sqlite3_reset(raw_); }

  [[nodiscard]] long long Number(int i) const { return sqlite3_column_int64(raw_, i); }
  // Returns the value of a column; it is valid until the next Step. Text is UTF-8.
  [[nodiscard]] Bytes Maybe(int i) const;
  [[nodiscard]] std::string_view Text(int i) const { return Maybe(i).value_or(std::string_view("")); }
  [[nodiscard]] int Type(int i) const { return sqlite3_column_type(raw_, i); }
  [[nodiscard]] double Real(int i) const { return sqlite3_column_double(raw_, i); }

 private:
  void BindOne(int i, long long value) { Check(sqlite3_bind_int64(raw_, i, value)); }
  void BindOne(int i, std::string_view text);
  void BindOne(int i, const Bytes& bytes);  // binds text if the bytes are UTF-8 without NUL, otherwise a blob
  void Check(int result) const;

  Connection* connection_;
  sqlite3_stmt* raw_ = nullptr;
};

// The connection of one session. The adapter owns it. Thread: the thread of the session, except Cancel.
class Connection final : public sql::Session {
 public:
  // Opens the file, and creates it if `create` is true. Errors: throws OUTBOX_BAD_CONFIG if the path is wrong, if the
  // file does not exist and `create` is false, or if the text in the file is not UTF-8; OUTBOX_UNAVAILABLE if the file
  // cannot be opened now.
  Connection(std::string path, bool create);
  ~Connection() override;

  // Begins a call of the relay that must end within `timeout`, and checks that the path still names the file that is
  // open. Errors: throws OUTBOX_UNAVAILABLE if the path names another file, or none.
  void Begin(Millis timeout);
  // Makes the call that is under way end soon. Thread: any.
  void Cancel() noexcept { cancelled_ = true; }
  [[nodiscard]] bool PastHalf() const override { return Clock::now() > half_; }
  [[nodiscard]] Millis Left() const { return std::chrono::duration_cast<Millis>(deadline_ - Clock::now()); }
  [[nodiscard]] bool cancelled() const { return cancelled_; }

  sql::Rows Run(const sql::Statement& statement) override;
  std::vector<sql::Rows> RunTogether(const std::vector<sql::Statement>& statements) override;

  void Script(const std::string& sql) override;
  [[nodiscard]] bool InTransaction() const override { return sqlite3_get_autocommit(raw_) == 0; }
  void RollBack() noexcept;
  [[nodiscard]] sqlite3* raw() const { return raw_; }
  // Returns the error for a result code and a message of SQLite. The text of an OUTBOX_BAD_CONFIG names the fix if
  // there is a general one.
  [[nodiscard]] Error Explain(int result, const std::string& message) const;

 private:
  using Clock = std::chrono::steady_clock;
  static int Busy(void* self, int tries) noexcept;
  static int Progress(void* self) noexcept;
  void Identify(long long& device, long long& inode) const;

  const std::string path_;
  const std::unique_ptr<soci::session> soci_;
  sqlite3* raw_ = nullptr;
  long long device_ = 0, inode_ = 0;
  Clock::time_point deadline_ = Clock::time_point::max(), half_ = Clock::time_point::max();
  std::atomic<bool> cancelled_ = false;
};

// Begins a transaction, and rolls it back at the end of the scope unless it was committed. By default the transaction
// takes the write lock at its beginning, because a transaction that has read first cannot obtain the lock while another
// connection writes.
class Transaction {
 public:
  explicit Transaction(Connection& connection, const char* begin = "begin immediate") : connection_(connection) {
    connection_.Script(begin);
  }
  ~Transaction() {
    if (!done_) connection_.RollBack();
  }
  Transaction(const Transaction&) = delete;
  void Commit() {
    connection_.Script("commit");
    done_ = true;
  }

 private:
  Connection& connection_;
  bool done_ = false;
};

}  // namespace outbox::sqlite
