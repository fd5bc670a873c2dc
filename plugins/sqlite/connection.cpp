#include "sqlite/connection.hpp"

#include <soci/soci.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <thread>

#include "outbox/text.hpp"
#include "sql/tables.hpp"
#include "sqlite/open.hpp"

namespace outbox::sqlite {
namespace {

// Number of steps of SQLite's virtual machine between two checks of the deadline. These steps take about 0.2 ms.
constexpr int kProgressSteps = 10'000;
constexpr auto kBusyPause = std::chrono::milliseconds(1);
// Time for which the opening of the file waits while another connection has locked the file exclusively.
constexpr auto kOpening = std::chrono::seconds(5);

std::string Checked(std::string path, bool create) {
  struct stat file {};
  if (stat(path.c_str(), &file) == 0) {
    if (!S_ISREG(file.st_mode)) throw Error(OUTBOX_BAD_CONFIG, path + " is not a file");
    if (access(path.c_str(), W_OK) != 0)
      throw Error(OUTBOX_BAD_CONFIG, path + " is not writable for this user; delivered rows are deleted from it");
    return path;
  }
  // Any other error, such as a lack of resources or a file system that does not answer, does not show that the path is
  // wrong.
  if (errno != ENOENT && errno != ENOTDIR && errno != EACCES && errno != ELOOP && errno != ENAMETOOLONG)
    throw Error(OUTBOX_UNAVAILABLE, path + " cannot be examined: " + std::generic_category().message(errno));
  if (errno == EACCES) throw Error(OUTBOX_BAD_CONFIG, path + " cannot be reached by this user");
  // The relay creates no database: in an empty database it would wait forever for rows that are written to another
  // file.
  if (!create)
    throw Error(
        OUTBOX_BAD_CONFIG,
        path + " does not exist, and the relay does not create it; correct 'path', or run: outbox-relay migrate");
  return path;
}

// Checks that the text in the file is UTF-8. In another encoding, a cast between text and blob changes the bytes, so a
// row would not be found again by the values that were read from it.
void RequireUtf8(Connection& connection, const std::string& path) {
  const sql::Rows rows = connection.Run({"select encoding from pragma_encoding", {}});
  const std::string encoding = rows.empty() ? "" : rows[0][0].value_or("");
  if (encoding != "UTF-8")
    throw Error(
        OUTBOX_BAD_CONFIG,
        "SQLite: " + path + " keeps text in " + encoding +
            " (pragma encoding), expected UTF-8; stop all programs that use it and make a copy in UTF-8: sqlite3 '" +
            path + "' .dump | sqlite3 '" + path + ".utf8'; put the copy in its place without the old -wal" +
            " and -shm files, and run: outbox-relay migrate");
}

}  // namespace

Prepared::Prepared(Connection& connection, const std::string& sql) : connection_(&connection) {
  Check(sqlite3_prepare_v3(connection.raw(), sql.c_str(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                           &raw_, nullptr));
}

bool Prepared::Step() {
  const int result = sqlite3_step(raw_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  const Error error =
      connection_->Explain(sqlite3_extended_errcode(connection_->raw()), sqlite3_errmsg(connection_->raw()));
  Reset();
  throw error;
}

Bytes Prepared::Maybe(int i) const {
  const int type = Type(i);
  if (type == SQLITE_NULL) return std::nullopt;
  const void* data = type == SQLITE_BLOB ? sqlite3_column_blob(raw_, i) : sqlite3_column_text(raw_, i);
  return std::string_view(data != nullptr ? static_cast<const char*>(data) : "",
                          static_cast<std::size_t>(sqlite3_column_bytes(raw_, i)));
}

void Prepared::BindOne(int i, std::string_view text) {
  Check(sqlite3_bind_text64(raw_, i, text.data() != nullptr ? text.data() : "", text.size(), nullptr, SQLITE_UTF8));
}

void Prepared::BindOne(int i, const Bytes& bytes) {
  if (!bytes) return Check(sqlite3_bind_null(raw_, i));
  if (IsText(*bytes)) return BindOne(i, *bytes);
  Check(sqlite3_bind_blob64(raw_, i, bytes->data(), bytes->size(), nullptr));
}

void Prepared::Check(int result) const {
  if (result != SQLITE_OK) throw connection_->Explain(result, sqlite3_errmsg(connection_->raw()));
}

Connection::Connection(std::string path, bool create)
    : path_(Checked(std::move(path), create)), soci_(Open(path_)), raw_(NativeHandle(*soci_)) {
  sqlite3_busy_handler(raw_, Busy, this);
  sqlite3_progress_handler(raw_, kProgressSteps, Progress, this);
  Identify(device_, inode_);
  Script("pragma foreign_keys = off; pragma temp_store = memory");
  deadline_ = Clock::now() + kOpening;
  RequireUtf8(*this, path_);
}

Connection::~Connection() = default;

void Connection::Begin(Millis timeout) {
  cancelled_ = false;
  const auto now = Clock::now();
  deadline_ = now + timeout;
  half_ = now + timeout / 2;
  if (InTransaction()) return;
  long long device = 0, inode = 0;
  Identify(device, inode);
  if (device != device_ || inode != inode_)
    throw Error(OUTBOX_UNAVAILABLE, path_ + " was replaced or removed while it was open; opening it again");
}

void Connection::Identify(long long& device, long long& inode) const {
  struct stat file {};
  if (stat(path_.c_str(), &file) != 0) return;
  device = static_cast<long long>(file.st_dev);
  inode = static_cast<long long>(file.st_ino);
}

// Sleeps before another attempt to obtain a lock. Returns 1 to try again, and 0 after the deadline or a cancel.
// SQLite's own handler sleeps up to 100 ms at a time and checks no deadline.
int Connection::Busy(void* self, int) noexcept {
  const auto& connection = *static_cast<Connection*>(self);
  if (connection.cancelled_ || Clock::now() >= connection.deadline_) return 0;
  std::this_thread::sleep_for(kBusyPause);
  return 1;
}

int Connection::Progress(void* self) noexcept {
  const auto& connection = *static_cast<Connection*>(self);
  return connection.cancelled_ || Clock::now() >= connection.deadline_ ? 1 : 0;
}

Error Connection::Explain(int result, const std::string& message) const {
  const auto error = [&](outbox_code code, const std::string& text) { return Error(code, text, {}, result); };
  const std::string named = "SQLite: " + message + DescriptorsUsedUp(sqlite3_system_errno(raw_)) + " (" + path_ + ")";
  switch (result & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT:
      if (cancelled_) return error(OUTBOX_CANCELLED, "cancelled");
      return error(OUTBOX_TIMEOUT,
                   (result & 0xFF) == SQLITE_INTERRUPT
                       ? named
                       : named +
                             "; another connection has been writing, in one transaction, for "
                             "longer than the relay waits: 'fuser' shows which processes have the file open");
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
    case SQLITE_FULL:
    case SQLITE_PROTOCOL:
    case SQLITE_SCHEMA:
    case SQLITE_READONLY:
    case SQLITE_CORRUPT:
      return error(OUTBOX_UNAVAILABLE, named);
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_NOTADB:
      return error(OUTBOX_BAD_CONFIG, named);
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
      return error(OUTBOX_BAD_DATA, named);
    case SQLITE_ERROR:
      // SQLite has no separate error codes for missing tables, columns and functions, so the message is compared.
      if (message.starts_with("no such") || message.find("has no column") != std::string::npos)
        return error(OUTBOX_BAD_CONFIG, named + "; " + sql::kMigrate);
      break;
    default:
      break;
  }
  return error(OUTBOX_INTERNAL, named);
}

sql::Rows Connection::Run(const sql::Statement& statement) {
  try {
    return sql::RunBySoci(*soci_, statement);
  } catch (const soci::soci_error& error) {
    const int result = ResultOf(error);
    // The text of the exception is not used, because it would show the bound values.
    throw Explain(result >= 0 ? result : SQLITE_INTERNAL, sqlite3_errmsg(raw_));
  }
}

std::vector<sql::Rows> Connection::RunTogether(const std::vector<sql::Statement>& statements) {
  Transaction transaction(*this);
  std::vector<sql::Rows> all;
  all.reserve(statements.size());
  for (const sql::Statement& statement : statements) all.push_back(Run(statement));
  transaction.Commit();
  return all;
}

void Connection::Script(const std::string& sql) {
  const int result = sqlite3_exec(raw_, sql.c_str(), nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) throw Explain(sqlite3_extended_errcode(raw_), sqlite3_errmsg(raw_));
}

void Connection::RollBack() noexcept {
  // The rollback fails only if an error has already ended the transaction, so its result is ignored.
  if (InTransaction()) sqlite3_exec(raw_, "rollback", nullptr, nullptr, nullptr);
}

}  // namespace outbox::sqlite
