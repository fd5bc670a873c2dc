// One connection to the database file: opened by SOCI, bounded in time, cancellable, and used through SQLite's own
// handle where rows are read and confirmed.
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

// A prepared statement of the hot path. One row or execution at a time; Reset before the next.
class Prepared {
 public:
  Prepared(Connection& connection, const std::string& sql);
  Prepared(Prepared&& other) noexcept : connection_(other.connection_), raw_(std::exchange(other.raw_, nullptr)) {}
  Prepared& operator=(Prepared&&) = delete;
  ~Prepared() { sqlite3_finalize(raw_); }

  // Starts anew with these parameters; what is bound must live until the last Step.
  template <class... Values>
  Prepared& Bind(const Values&... values) {
    Reset();
    int i = 0;
    (BindOne(++i, values), ...);
    return *this;
  }
  [[nodiscard]] bool Step();  // false = no (more) row
  void Execute() {
    while (Step()) {
    }
    Reset();
  }
  void Reset() { sqlite3_reset(raw_); }

  [[nodiscard]] long long Number(int i) const { return sqlite3_column_int64(raw_, i); }
  [[nodiscard]] Bytes Maybe(int i) const;  // until the next Step; text as UTF-8
  [[nodiscard]] std::string_view Text(int i) const { return Maybe(i).value_or(std::string_view("")); }
  [[nodiscard]] int Type(int i) const { return sqlite3_column_type(raw_, i); }
  [[nodiscard]] double Real(int i) const { return sqlite3_column_double(raw_, i); }

 private:
  void BindOne(int i, long long value) { Check(sqlite3_bind_int64(raw_, i, value)); }
  void BindOne(int i, std::string_view text);
  void BindOne(int i, const Bytes& bytes);  // stored as text where it is text, else as a blob
  void Check(int result) const;

  Connection* connection_;
  sqlite3_stmt* raw_ = nullptr;
};

class Connection final : public sql::Session {
 public:
  // `path` must exist unless `create`. Throws UNAVAILABLE or BAD_CONFIG.
  Connection(std::string path, bool create);
  ~Connection() override;

  // Before each call of the relay: its deadline, and a check that the path still names the file that is open.
  void Begin(Millis timeout);
  void Cancel() noexcept { cancelled_ = true; }  // any thread
  [[nodiscard]] bool PastHalf() const override { return Clock::now() > half_; }
  [[nodiscard]] Millis Left() const { return std::chrono::duration_cast<Millis>(deadline_ - Clock::now()); }
  [[nodiscard]] bool cancelled() const { return cancelled_; }

  sql::Rows Run(const sql::Statement& statement) override;
  std::vector<sql::Rows> RunTogether(const std::vector<sql::Statement>& statements) override;

  void Script(const std::string& sql) override;
  [[nodiscard]] bool InTransaction() const override { return sqlite3_get_autocommit(raw_) == 0; }
  void RollBack() noexcept;
  [[nodiscard]] sqlite3* raw() const { return raw_; }
  // The class of a failure by SQLite's result code. A BAD_CONFIG names what fixes it.
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

// A write transaction takes the lock at once: one that read first could never get it while another writes.
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
