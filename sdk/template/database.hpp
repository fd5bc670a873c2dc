// A connection to SQLite, with the types of the SDK: values may be absent, and failures are thrown as outbox::Error,
// whose code decides what the relay does next.
#pragma once

#include <sqlite3.h>

#include <functional>
#include <outbox/adapter.hpp>
#include <variant>

using Value = std::variant<std::int64_t, outbox::Bytes>;
// Receives a row of a result. Returns false if no more rows are wanted.
using UseRow = std::function<bool(sqlite3_stmt*)>;

// One connection. Thread: the thread of the session.
class Database {
 public:
  // Opens an existing file. Errors: throws OUTBOX_UNAVAILABLE if it cannot be opened.
  explicit Database(const std::string& path) {
    sqlite3* db = nullptr;
    const int result = sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE, nullptr);
    db_.reset(db);
    if (result != SQLITE_OK) throw outbox::Error(OUTBOX_UNAVAILABLE, "cannot open " + path);
  }

  // Limits how long a statement waits for a lock of another connection.
  void SetTimeout(outbox::Millis timeout) { sqlite3_busy_timeout(db_.get(), static_cast<int>(timeout.count())); }

  // Runs a statement with its values, and passes each row of the result to `use`.
  //
  // Errors: throws OUTBOX_TIMEOUT if another connection holds a lock, OUTBOX_REFUSED if a constraint or a trigger
  // refuses the change, OUTBOX_INTERNAL otherwise.
  void Run(const char* sql, std::initializer_list<Value> values = {}, const UseRow& use = {}) {
    sqlite3_stmt* prepared = nullptr;
    int result = sqlite3_prepare_v2(db_.get(), sql, -1, &prepared, nullptr);
    const std::unique_ptr<sqlite3_stmt, Close> statement(prepared);
    for (int at = 0; const Value& value : values) Bind(prepared, ++at, value);
    while (result == SQLITE_OK || result == SQLITE_ROW)
      if ((result = sqlite3_step(prepared)) == SQLITE_ROW && !use(prepared)) return;
    if (result != SQLITE_DONE)
      throw outbox::Error(result == SQLITE_BUSY         ? OUTBOX_TIMEOUT
                          : result == SQLITE_CONSTRAINT ? OUTBOX_REFUSED
                                                        : OUTBOX_INTERNAL,
                          sqlite3_errmsg(db_.get()));
  }

  // Calls work() in a transaction, which is rolled back if work() throws.
  void Transaction(const std::function<void()>& work) {
    Run("BEGIN IMMEDIATE");
    try {
      work();
      Run("COMMIT");
    } catch (...) {
      sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
      throw;
    }
  }

  // Returns the value of a column as bytes; absent = NULL. It is valid until the next row.
  static outbox::Bytes Column(sqlite3_stmt* row, int column) {
    if (sqlite3_column_type(row, column) == SQLITE_NULL) return std::nullopt;
    const auto* const data = static_cast<const char*>(sqlite3_column_blob(row, column));
    return std::string_view(data != nullptr ? data : "", static_cast<std::size_t>(sqlite3_column_bytes(row, column)));
  }

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close(db); }
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  static void Bind(sqlite3_stmt* statement, int at, const Value& value) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      sqlite3_bind_int64(statement, at, *number);
    } else if (const outbox::Bytes& text = std::get<outbox::Bytes>(value); text) {
      // Raw() returns an address also for an empty text, because a null pointer means NULL.
      const auto* const data = static_cast<const char*>(outbox::Raw(*text).data);
      sqlite3_bind_text(statement, at, data, static_cast<int>(text->size()), SQLITE_STATIC);
    }
  }

  std::unique_ptr<sqlite3, Close> db_;
};
