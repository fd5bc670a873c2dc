#include "mysql/client.hpp"

#include <poll.h>
#include <soci/soci.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "mysql/errors.hpp"

namespace outbox::mysql {
namespace {

constexpr int kTriesOnConflict = 5;
// Maximum number of bytes of unwanted rows that a read skips. If there are more bytes, the read gives up the
// connection, because a new connection costs only a few milliseconds.
constexpr std::size_t kPassOver = std::size_t{4} << 20;

void Copy(MYSQL_RES* result, sql::Rows& rows) {
  for (Fetched row(result); row; row = Fetched(result)) {
    sql::Row& out = rows.emplace_back();
    for (unsigned i = 0; i < row.columns(); ++i) {
      const Bytes value = row.Maybe(i);
      out.push_back(value ? sql::Value(*value) : std::nullopt);
    }
  }
}

bool EndsName(char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_'; }

}  // namespace

long long Fetched::Number(unsigned i) const {
  long long number = 0;
  const std::string_view text = Text(i);
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::size_t Fetched::bytes() const {
  std::size_t sum = 0;
  for (unsigned i = 0; i < columns(); ++i) sum += lengths_[i];
  return sum;
}

Client::Client(Connected connected, const sql::Tables& tables) : tables_(tables) { Adopt(std::move(connected)); }

Client::~Client() { Close(); }

void Client::Adopt(Connected connected) {
  Close();
  session_ = std::move(connected.session);
  native_ = connected.native;
  server_ = connected.server;
  server_limit_ = Millis(0);
  lock_limit_ = std::chrono::hours(1);
  gone_ = given_up_ = cancelled_ = false;
  const std::lock_guard lock(mutex_);
  socket_ = dup(static_cast<int>(mysql_get_socket(native_)));
}

void Client::Close() noexcept {
  const std::lock_guard lock(mutex_);
  if (socket_ >= 0) close(socket_);
  socket_ = -1;
}

void Client::Begin(Millis timeout) {
  if (gone_) throw Error(OUTBOX_UNAVAILABLE, "MySQL: the connection is lost");
  timeout_ = timeout;
  const auto now = Clock::now();
  deadline_ = now + timeout;
  half_ = now + timeout / 2;
  LimitOnServer();
}

void Client::LimitLocks(std::chrono::seconds limit) {
  lock_limit_ = limit;
  LimitOnServer();
}

void Client::Cancel() noexcept {
  cancelled_ = true;
  const std::lock_guard lock(mutex_);
  if (socket_ >= 0) shutdown(socket_, SHUT_RDWR);
}

// Sets the server's time limits a little below the limit of the call. The server then ends a statement that takes too
// long, and the connection survives. Waits for locks are limited in whole seconds. For a statement that writes, MySQL
// has no time limit except the one for locks.
void Client::LimitOnServer() {
  const Millis limit = std::max(Millis(1), timeout_ * 9 / 10);
  const auto lock_limit =
      std::clamp(std::chrono::duration_cast<std::chrono::seconds>(limit), std::chrono::seconds(1), lock_limit_);
  if ((limit == server_limit_ && lock_limit == server_lock_limit_) || InTransaction()) return;
  const std::string locks = std::to_string(lock_limit.count());
  const std::string millis = std::to_string(limit.count());
  const std::string sql =
      "set innodb_lock_wait_timeout = " + locks + ", lock_wait_timeout = " + locks + ", " +
      (server_.is_mariadb ? "max_statement_time = " + millis + " / 1000" : "max_execution_time = " + millis);
  if (!Ask(sql)) throw Failure();
  server_limit_ = limit;
  server_lock_limit_ = lock_limit;
}

std::string Client::Literal(const Bytes& text) const {
  if (!text) return "null";
  std::string literal(text->size() * 2 + 3, '\0');
  literal[0] = '\'';
  const auto size = mysql_real_escape_string(native_, &literal[1], text->data(), text->size());
  literal.resize(size + 1);
  return literal + '\'';
}

std::string Client::Binary(const Bytes& bytes) const { return bytes ? "_binary" + Literal(bytes) : "null"; }

std::string Client::Filled(const sql::Statement& statement) const {
  std::string text;
  auto value = statement.values.begin();
  for (std::size_t i = 0; i < statement.sql.size(); ++i) {
    const char c = statement.sql[i];
    // Names and texts in quotes are copied unchanged, because a colon in quotes does not begin a parameter.
    if (c == '`' || c == '\'') {
      const auto end = std::min(statement.sql.find(c, i + 1), statement.sql.size() - 1);
      text.append(statement.sql, i, end - i + 1);
      i = end;
      continue;
    }
    if (c != ':') {
      text += c;
      continue;
    }
    text += Literal(*value++);
    while (i + 1 < statement.sql.size() && !EndsName(statement.sql[i + 1])) ++i;
  }
  return text;
}

bool Client::Ask(const std::string& sql) {
  if (mysql_send_query(native_, sql.data(), sql.size()) != 0) return false;
  AwaitAnswer();
  return mysql_read_query_result(native_) == 0;
}

void Client::AwaitAnswer() {
  for (;;) {
    const auto left = std::chrono::duration_cast<Millis>(deadline_ - Clock::now()).count();
    if (!cancelled_ && left <= 0) {
      gone_ = true;
      throw Error(OUTBOX_TIMEOUT, "MySQL: no answer within " + std::to_string(timeout_.count()) + " ms");
    }
    pollfd polled{socket_, POLLIN, 0};
    const int ready = poll(&polled, 1, static_cast<int>(std::min<long long>(left + 1, 60'000)));
    // After a cancel or an error, the next call of the client library reports the cause.
    if (cancelled_ || ready > 0 || (ready < 0 && errno != EINTR)) return;
  }
}

bool Client::TakeAll(std::vector<sql::Rows>& answers) {
  for (;;) {
    const ResultPtr result(mysql_store_result(native_));
    // If the connection is lost between rows, the client library returns no result, as for a statement without rows. If
    // the connection is lost between descriptions of columns, mysql_next_result() below reports that this was the last
    // answer.
    if (!result && (mysql_errno(native_) != 0 || mysql_field_count(native_) != 0)) return false;
    sql::Rows& rows = answers.emplace_back();
    changed_ = mysql_affected_rows(native_);
    if (result) Copy(result.get(), rows);
    const int next = mysql_next_result(native_);
    if (next < 0) return mysql_errno(native_) == 0;
    if (next > 0) return false;
  }
}

std::vector<sql::Rows> Client::Complete(const std::string& sql, bool alone) {
  for (int tries = 1;; ++tries) {
    std::vector<sql::Rows> answers;
    if (Ask(sql) && TakeAll(answers)) return answers;
    const unsigned number = mysql_errno(native_);
    const Error failure = Failure();
    if (gone_ || !alone) throw failure;
    if (InTransaction() && !Ask("rollback")) throw Failure();
    if (tries >= kTriesOnConflict || !IsConflict(number) || number == 1205) throw failure;
  }
}

void Client::Read(const std::string& sql, const std::function<bool(const Fetched&)>& take) {
  if (!Ask(sql)) throw Failure();
  const ResultPtr result(mysql_use_result(native_));
  if (!result) throw Failure();
  bool taking = true;
  std::size_t passed_over = 0;
  for (Fetched row(result.get()); row; row = Fetched(result.get())) {
    if (taking && (taking = take(row))) continue;
    passed_over += row.bytes();
    if (passed_over > kPassOver) return GiveUp();
  }
  if (mysql_errno(native_) != 0) throw Failure();
}

std::vector<long long> Client::ReadDirty(const std::string& sql) {
  // The isolation level applies only to the next transaction, which consists of the statement that follows.
  const std::vector<sql::Rows> answers = Complete("set transaction isolation level read uncommitted;" + sql, true);
  std::vector<long long> numbers;
  for (const sql::Row& row : answers.at(1)) numbers.push_back(sql::ToNumber(row.at(0)));
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::uint64_t Client::Execute(const std::string& sql) {
  (void)Complete(sql, !InTransaction());
  return changed_;
}

sql::Rows Client::Run(const sql::Statement& statement) {
  return std::move(Complete(Filled(statement), !InTransaction()).at(0));
}

std::vector<sql::Rows> Client::RunTogether(const std::vector<sql::Statement>& statements) {
  std::string text = "start transaction";
  for (const sql::Statement& statement : statements) text += ";" + Filled(statement);
  auto answers = Complete(text + ";commit", true);
  answers.erase(answers.begin());
  answers.pop_back();
  return answers;
}

// Gives up the connection. The server notices that the connection is closed when it continues to send rows.
void Client::GiveUp() noexcept {
  gone_ = given_up_ = true;
  const std::lock_guard lock(mutex_);
  if (socket_ >= 0) shutdown(socket_, SHUT_RDWR);
}

Error Client::Failure() {
  const unsigned number = mysql_errno(native_);
  if (cancelled_ || IsLost(number)) gone_ = true;
  if (cancelled_) return {OUTBOX_CANCELLED, "cancelled"};
  failure_ = Redacted(number, mysql_error(native_));
  return Explain(tables_, number, mysql_sqlstate(native_), mysql_error(native_));
}

}  // namespace outbox::mysql
