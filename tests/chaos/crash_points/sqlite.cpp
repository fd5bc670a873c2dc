// Interposes the functions of SQLite that the plugin calls. SQLite has no answers to wait for, so a point named
// `unanswered` means that the statement was executed and not committed.
#include <sqlite3.h>

#include <string_view>

#include "real.hpp"
#include "statement.hpp"

using namespace outbox::crash_points;  // NOLINT(google-build-using-namespace)

namespace {

constexpr const char* kLibsqlite = "libsqlite3.so.0";

// Returns the statement that starts with this step if it is the first recognised statement of its transaction, and
// kOther in all other cases. The first recognised statement stands for the whole transaction.
Statement BegunBy(sqlite3_stmt* statement) {
  static const auto busy = Real<decltype(&sqlite3_stmt_busy)>(kLibsqlite, "sqlite3_stmt_busy");
  static const auto sql = Real<decltype(&sqlite3_sql)>(kLibsqlite, "sqlite3_sql");
  if (UnderWay() || busy(statement) != 0) return Statement::kOther;
  const char* const text = sql(statement);
  return text != nullptr ? Recognise(text) : Statement::kOther;
}

}  // namespace

extern "C" {

int sqlite3_step(sqlite3_stmt* statement) {
  REAL(kLibsqlite, sqlite3_step);
  const Statement begun = BegunBy(statement);
  if (begun == Statement::kOther) return real(statement);
  Begin(begun);
  const int result = real(statement);
  Sent();
  return result;
}

int sqlite3_exec(sqlite3* database, const char* sql, int (*callback)(void*, int, char**, char**), void* argument,
                 char** error) {
  REAL(kLibsqlite, sqlite3_exec);
  const int result = real(database, sql, callback, argument, error);
  if (std::string_view(sql) == "commit" && result == SQLITE_OK) Answered();
  if (std::string_view(sql) == "rollback") Forget();
  return result;
}
}
