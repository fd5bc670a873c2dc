#include "postgres/client.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "postgres/errors.hpp"
#include "postgres/locks.hpp"
#include "postgres/role_settings.hpp"

namespace outbox::postgres {
namespace {

constexpr int kTriesOnConflict = 5;

const char* Field(const Result& result, int field) {
  const char* text = PQresultErrorField(result.raw(), field);
  return text != nullptr ? text : "";
}

bool Succeeded(const Result& result) {
  const auto status = PQresultStatus(result.raw());
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY ||
         status == PGRES_PIPELINE_SYNC;
}

// Replaces each :name by $1, $2, ... in order.
std::string Numbered(const std::string& sql) {
  std::string out;
  int number = 0;
  for (std::size_t i = 0; i < sql.size(); ++i) {
    if (sql[i] != ':') {
      out += sql[i];
      continue;
    }
    out += '$' + std::to_string(++number);
    while (i + 1 < sql.size() && (std::isalnum(static_cast<unsigned char>(sql[i + 1])) != 0 || sql[i + 1] == '_')) ++i;
  }
  return out;
}

struct Raw {
  explicit Raw(const std::vector<Parameter>& parameters) {
    for (const Parameter& p : parameters) Add(p.bytes, p.binary);
  }
  explicit Raw(const std::vector<sql::Value>& texts) {
    for (const sql::Value& v : texts) Add(v ? Bytes(*v) : std::nullopt, false);
  }
  // An empty value needs an address, because a null pointer means NULL. Texts always end with NUL, because they come
  // from strings.
  void Add(const Bytes& bytes, bool binary) {
    values.push_back(!bytes ? nullptr : bytes->data() != nullptr ? bytes->data() : "");
    lengths.push_back(bytes ? static_cast<int>(bytes->size()) : 0);
    formats.push_back(binary ? 1 : 0);
  }
  [[nodiscard]] int size() const { return static_cast<int>(values.size()); }
  std::vector<const char*> values;
  std::vector<int> lengths, formats;
};

sql::Rows ToRows(const Result& result) {
  sql::Rows rows(static_cast<std::size_t>(result.rows()));
  for (int r = 0; r < result.rows(); ++r)
    for (int c = 0; c < result.columns(); ++c) {
      const Bytes value = result.Maybe(r, c);
      rows[static_cast<std::size_t>(r)].push_back(value ? sql::Value(*value) : std::nullopt);
    }
  return rows;
}

}  // namespace

std::int64_t GetNumber(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char c : bytes) number = number << 8U | static_cast<unsigned char>(c);
  switch (bytes.size()) {
    case 2:
      return static_cast<std::int16_t>(number);
    case 4:
      return static_cast<std::int32_t>(number);
    default:
      return static_cast<std::int64_t>(number);
  }
}

Client::Client(Native connection, const sql::Tables& tables, Millis timeout)
    : tables_(tables), wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  Adopt(std::move(connection), timeout);
}

void Client::Adopt(Native connection, Millis timeout) {
  connection_ = std::move(connection);
  broken_ = false;
  limits_ = server_limits_ = Limits();
  owned_ = false;
  prepared_.clear();
  texts_.clear();
  PQsetnonblocking(connection_.get(), 1);
  PQsetNoticeProcessor(
      connection_.get(), [](void*, const char*) {}, nullptr);  // libpq's default prints notices to stderr
  Begin(timeout);
}

void Client::Own() {
  if (owned_) return;
  Script(SessionSettings());
  owned_ = true;
}

std::string Client::Address() const {
  std::string address;
  const auto add = [&](const char* keyword, const char* value) {
    if (value != nullptr && *value != 0) address += std::string(" ") + keyword + "=" + Quoted(value);
  };
  add("host", PQhost(connection_.get()));
  add("hostaddr", PQhostaddr(connection_.get()));
  add("port", PQport(connection_.get()));
  return address;
}

Client::~Client() { close(wake_); }

void Client::Begin(Millis timeout) {
  if (broken_ || PQstatus(connection_.get()) != CONNECTION_OK) throw Lost();
  std::uint64_t old = 0;
  while (read(wake_, &old, sizeof old) > 0) {
  }
  cancelled_ = false;
  timeout_ = timeout;
  // The server's limit is a little below the time limit of the call, so that the server ends a statement that takes too
  // long, and the connection survives.
  limits_.statement = std::max(Millis(1), timeout * 9 / 10);
  const auto now = Clock::now();
  deadline_ = now + timeout;
  half_ = now + timeout / 2;
}

void Client::Cancel() noexcept {
  cancelled_ = true;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(wake_, &one, sizeof one);
}

void Client::LimitOnServer() {
  if (!owned_ || limits_ == server_limits_ || InTransaction()) return;
  const std::string sql = "set statement_timeout = " + std::to_string(limits_.statement.count()) +
                          "; set lock_timeout = " + std::to_string(limits_.locks.count());
  if (PQsendQuery(connection_.get(), sql.c_str()) == 0) throw Lost();
  if (const Result result = Await(); !Succeeded(result)) Throw(result);
  server_limits_ = limits_;
}

void Client::SendSettingsOfCall() {
  const std::string sql = SettingsOfCall(limits_);
  if (PQsendQueryParams(connection_.get(), sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0) == 0) throw Lost();
}

template <class Send>
std::vector<Result> Client::AskTogether(Send send) {
  LimitOnServer();
  for (int tries = 1;; ++tries) {
    if (PQenterPipelineMode(connection_.get()) == 0) throw Lost();
    if (!owned_) SendSettingsOfCall();
    // Everything up to the sync is one transaction, without BEGIN and COMMIT.
    send();
    if (PQpipelineSync(connection_.get()) == 0) throw Lost();
    std::vector<Result> all;
    std::unique_ptr<Result> failed;
    for (bool synced = false; !synced;) {
      PGresult* const raw = Next();
      if (raw == nullptr && PQstatus(connection_.get()) != CONNECTION_OK) throw Lost();
      if (raw == nullptr) continue;  // null ends the results of one statement
      Result result(raw);
      synced = PQresultStatus(raw) == PGRES_PIPELINE_SYNC;
      if (synced) break;
      if (PQresultStatus(raw) == PGRES_FATAL_ERROR)
        failed = std::make_unique<Result>(std::move(result));
      else if (PQresultStatus(raw) != PGRES_PIPELINE_ABORTED)
        all.push_back(std::move(result));
    }
    PQexitPipelineMode(connection_.get());
    if (failed && (tries >= kTriesOnConflict || !IsConflict(Field(*failed, PG_DIAG_SQLSTATE)))) Throw(*failed);
    if (failed) continue;
    if (!owned_) all.erase(all.begin());
    return all;
  }
}

template <class Send>
Result Client::Ask(Send send) {
  LimitOnServer();
  for (int tries = 1;; ++tries) {
    const bool alone = !InTransaction();
    if (alone && !owned_) {
      std::vector<Result> results = AskTogether([&] {
        if (send() == 0) throw Lost();
      });
      if (results.empty()) throw Lost();
      return std::move(results.back());
    }
    if (send() == 0) throw Lost();
    Result result = Await();
    if (Succeeded(result)) return result;
    if (alone && tries < kTriesOnConflict && IsConflict(Field(result, PG_DIAG_SQLSTATE))) continue;
    Throw(result);
  }
}

void Client::Prepare(const std::string& name, const std::string& sql, const std::vector<Oid>& types) {
  if (!owned_) {
    texts_[name] = {sql, types};
    return;
  }
  (void)Ask([&] {
    return PQsendPrepare(connection_.get(), name.c_str(), sql.c_str(), static_cast<int>(types.size()), types.data());
  });
}

Result Client::Execute(const std::string& prepared, const std::vector<Parameter>& parameters) {
  const Raw raw(parameters);
  if (const auto text = texts_.find(prepared); text != texts_.end())
    return Ask([&] {
      return PQsendQueryParams(connection_.get(), text->second.sql.c_str(), raw.size(), text->second.types.data(),
                               raw.values.data(), raw.lengths.data(), raw.formats.data(), 1);
    });
  return Ask([&] {
    return PQsendQueryPrepared(connection_.get(), prepared.c_str(), raw.size(), raw.values.data(), raw.lengths.data(),
                               raw.formats.data(), 1);
  });
}

void Client::Script(const std::string& sql) {
  LimitOnServer();
  const bool alone = !InTransaction();
  const std::string text = alone && !owned_ ? SettingsOfScript(limits_) + sql : sql;
  for (int tries = 1;; ++tries) {
    if (PQsendQuery(connection_.get(), text.c_str()) == 0) throw Lost();
    const Result result = Await();
    if (Succeeded(result)) return;
    if (!alone || tries >= kTriesOnConflict || !IsConflict(Field(result, PG_DIAG_SQLSTATE))) Throw(result);
  }
}

void Client::RollBack() noexcept {
  if (broken_ || !InTransaction()) return;
  try {
    Script("rollback");
  } catch (const Error&) {  // the connection is gone, and the transaction with it
  }
}

sql::Rows Client::Run(const sql::Statement& statement) {
  if (!owned_) {
    const std::string sql = Numbered(statement.sql);
    const Raw raw(statement.values);
    return ToRows(Ask([&] {
      return PQsendQueryParams(connection_.get(), sql.c_str(), raw.size(), nullptr, raw.values.data(),
                               raw.lengths.data(), raw.formats.data(), 0);
    }));
  }
  auto known = prepared_.find(statement.sql);
  if (known == prepared_.end()) {
    const std::string name = "run_" + std::to_string(prepared_.size());
    Prepare(name, Numbered(statement.sql), {});
    known = prepared_.emplace(statement.sql, name).first;
  }
  const Raw raw(statement.values);
  return ToRows(Ask([&] {
    return PQsendQueryPrepared(connection_.get(), known->second.c_str(), raw.size(), raw.values.data(),
                               raw.lengths.data(), raw.formats.data(), 0);
  }));
}

std::vector<sql::Rows> Client::RunTogether(const std::vector<sql::Statement>& statements) {
  const auto send = [&](const std::string& sql, const std::vector<sql::Value>& values) {
    const Raw raw(values);
    if (PQsendQueryParams(connection_.get(), sql.c_str(), raw.size(), nullptr, raw.values.data(), raw.lengths.data(),
                          raw.formats.data(), 0) == 0)
      throw Lost();
  };
  std::vector<sql::Rows> all;
  for (const Result& result : AskTogether([&] {
         for (const sql::Statement& statement : statements) send(Numbered(statement.sql), statement.values);
       }))
    all.push_back(ToRows(result));
  return all;
}

Result Client::Await() {
  Result last(nullptr);
  while (PGresult* const raw = Next()) {
    Result result(raw);
    // If there are several results, a failed one is returned.
    if (last.raw() == nullptr || Succeeded(last)) last = std::move(result);
  }
  if (last.raw() == nullptr) throw Lost();
  return last;
}

PGresult* Client::Next() {
  Flush();
  while (PQisBusy(connection_.get()) != 0) Wait(false);
  return PQgetResult(connection_.get());
}

// Sends all pending data. While the socket accepts no more data, reads answers, because the server may be blocked until
// the client reads them.
void Client::Flush() {
  for (int left = PQflush(connection_.get()); left != 0; left = PQflush(connection_.get())) {
    if (left < 0) throw Lost();
    Wait(true);
  }
}

void Client::Wait(bool also_writing) {
  if (WaitInTime(also_writing)) return;
  broken_ = true;
  if (cancelled_) throw Error(OUTBOX_CANCELLED, "cancelled");
  throw Error(OUTBOX_TIMEOUT, "PostgreSQL: no answer within " + std::to_string(timeout_.count()) + " ms");
}

bool Client::WaitInTime(bool also_writing) {
  for (;;) {
    const auto left = std::chrono::duration_cast<Millis>(deadline_ - Clock::now()).count();
    if (cancelled_ || left <= 0) return false;
    std::array<pollfd, 2> polled{
        pollfd{PQsocket(connection_.get()), static_cast<short>(POLLIN | (also_writing ? POLLOUT : 0)), 0},
        pollfd{wake_, POLLIN, 0}};
    if (poll(polled.data(), polled.size(), static_cast<int>(std::min<long long>(left + 1, 60'000))) < 0 &&
        errno != EINTR)
      throw Lost();
    if (polled[0].revents == 0) continue;
    if ((polled[0].revents & ~POLLOUT) != 0 && PQconsumeInput(connection_.get()) == 0) throw Lost();
    return true;
  }
}

bool Client::AwaitNotification() {
  for (;;) {
    bool received = false;
    while (PGnotify* const notification = PQnotifies(connection_.get())) {
      PQfreemem(notification);
      received = true;
    }
    if (received) return true;
    if (WaitInTime(false)) continue;
    if (cancelled_) throw Error(OUTBOX_CANCELLED, "cancelled");
    return false;
  }
}

void Client::Throw(const Result& result) {
  const std::string state = Field(result, PG_DIAG_SQLSTATE);
  if (state.empty()) throw Lost();
  LastFailure failure{Field(result, PG_DIAG_MESSAGE_PRIMARY), Field(result, PG_DIAG_CONTEXT), ""};
  const Error error = failure.within_function() || explaining_ ? Explain(tables_, state, failure.message)
                                                               : ExplainBySurroundings(state, failure);
  failure_ = failure;
  throw error;
}

Error Client::ExplainBySurroundings(const std::string& state, LastFailure& failure) {
  const bool read_only = state == "25006", missing = state == "42P01";
  const bool waited = state == kLockTimeout || state == kStatementTimeout;
  Error error = Explain(tables_, state, failure.message);
  if (!read_only && !missing && !waited) return error;
  explaining_ = true;
  RollBack();  // the transaction has failed, and nothing can be queried in it any more
  try {
    if (read_only) {
      error = WhyReadOnly(*this);
    } else if (missing) {
      error =
          Error(OUTBOX_BAD_CONFIG, "PostgreSQL: " + failure.message + "; " + FixMissingTable(*this, tables_), state);
    } else {
      failure.holder = TableHolder(*this, tables_);
      if (!failure.holder.empty())
        error =
            Error(OUTBOX_TIMEOUT,
                  "PostgreSQL: " + failure.message + "; " + tables_.event + " is locked by " + failure.holder, state);
    }
  } catch (const Error&) {  // the error is reported without the additional explanation
  }
  explaining_ = false;
  return error;
}

Error Client::Lost() {
  broken_ = true;
  std::string text = PQerrorMessage(connection_.get());
  text = text.substr(0, text.find('\n'));
  return {OUTBOX_UNAVAILABLE, "PostgreSQL: the connection is lost" + (text.empty() ? "" : ": " + text), "08006"};
}

}  // namespace outbox::postgres
