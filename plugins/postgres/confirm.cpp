#include "postgres/confirm.hpp"

#include <cstdlib>

#include "postgres/array.hpp"
#include "postgres/dialect.hpp"
#include "postgres/errors.hpp"
#include "postgres/locks.hpp"
#include "sql/sql_template.hpp"

namespace outbox::postgres {
namespace {

// By primary key and nothing else, whatever the statistics say: the pairs are looked up in the sorted ids and not joined.
constexpr const char* kThese = "[id] = any($1) and event_id = ($2)[width_bucket(cast([id] as bigint), $1)]";

// outbox_retry is almost always empty, and then costs one look. The count is that of the outbox.
//
// This transaction does not wait until it is on disk: a crash of the server that takes it back costs duplicates, and the
// wait would compete with the application's commits for the same disk (docs/design/decisions/0018).
constexpr const char* kConfirm = R"(
with settled as (delete from {retry} where [these failures] and exists (select 1 from {retry}))
delete from {event} where [these] and (select set_config('synchronous_commit', 'off', true)) is not null)";
constexpr const char* kRemove = "delete from {event} where [these]";
constexpr const char* kStillThere = "select cast(id as bigint) from {event} where [these]";

// How long a delete may wait for a row that somebody else has locked. Once one was waited for, the others of its confirm are
// not waited for as long: they are asked for again, fewer at a time, until the row is found.
constexpr Millis kLockWait{2000}, kShortLockWait{50};
constexpr auto kShortWaitsLast = std::chrono::seconds(10);

std::string In(const sql::Tables& tables, const char* sql) {
  const std::string events = sql::Fill(kThese, {{"[id]", "id"}}), failures = sql::Fill(kThese, {{"[id]", "row_id"}});
  return tables.In(sql::Fill(sql, {{"[these]", events}, {"[these failures]", failures}}));
}

// While it lives; behind it kLockWait applies.
class LockLimit {
 public:
  LockLimit(Client& client, Millis limit) : client_(client) { client.LimitLocks(limit); }
  ~LockLimit() { client_.LimitLocks(kLockWait); }
  LockLimit(const LockLimit&) = delete;

 private:
  Client& client_;
};

int Digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

std::string ParseUuid(std::string_view text) {
  std::string bytes;
  int high = -1;
  for (const char c : text) {
    if (c == '-') continue;
    const int digit = Digit(c);
    if (digit < 0 || bytes.size() == 16) return {};
    if (high < 0) {
      high = digit;
      continue;
    }
    bytes += static_cast<char>(high * 16 + digit);
    high = -1;
  }
  return bytes.size() == 16 && high < 0 ? bytes : std::string();
}

Confirmation::Confirmation(Client& client, const sql::Tables& tables)
    : sql::Confirmation(client, tables, Dialect()), client_(client), tables_(tables) {
  const std::vector<Oid> types{kInt8Array, kUuidArray};
  client_.LimitLocks(kLockWait);
  client_.Prepare("confirm", In(tables, kConfirm), types);
  client_.Prepare("remove", In(tables, kRemove), types);
  client_.Prepare("still_there", In(tables, kStillThere), types);
}

Confirmation::Kept Confirmation::Delete(Rows rows, For what) {
  Array ids(kInt8), uuids(kUuid);
  for (const sql::OutboxRow& row : rows) {
    const std::string uuid = ParseUuid(row.event_id);
    if (uuid.empty()) continue;
    ids.Add(row.id);
    uuids.Add(Bytes(uuid));
  }
  const std::size_t asked = ids.size();
  if (asked == 0) return Kept(rows.size(), 0);
  const std::string id_array = ids.Take(), uuid_array = uuids.Take();
  const std::vector<Parameter> both{{id_array, true}, {uuid_array, true}};
  const bool short_waits =
      what == For::kConfirm ? std::chrono::steady_clock::now() < short_waits_until_ : what == For::kRelaysRemoval;
  const LockLimit limit(client_, short_waits ? kShortLockWait : kLockWait);
  try {
    const Result deleted = client_.Execute(what == For::kConfirm ? "confirm" : "remove", both);
    const bool all = std::strtoull(PQcmdTuples(deleted.raw()), nullptr, 10) >= asked;
    if (all && what == For::kConfirm) return Kept(rows.size(), 0);
  } catch (const Error& error) {
    const Client::LastFailure failure = client_.failure();
    if (error.sqlstate == kLockTimeout && failure.holder.empty()) RefuseLocked(failure, rows);
    // Its own work is slow, a trigger's say: locks are not waited for as long.
    const bool slow = error.sqlstate == kStatementTimeout && failure.holder.empty();
    if (!slow && !IsRefusal(error.sqlstate, failure.within_function())) throw;
    throw Error(OUTBOX_REFUSED,
                "PostgreSQL: " + failure.message + (slow ? "; something makes the delete slow, such as a trigger" : ""),
                error.sqlstate);
  }
  const Result found = client_.Execute("still_there", both);
  std::vector<long long> there;
  for (int i = 0; i < found.rows(); ++i) there.push_back(found.Number(i, 0));
  return StillThere(rows, there);
}

// After a wait for a lock of a row has ended without it. Where a trigger waits for what it writes to, no row can be removed,
// and nothing would be found by asking for fewer. While PostgreSQL waits for the transaction that has a row of ours, the
// context is one line, which names the row; while it waits for others that wait for the row, there is none.
void Confirmation::RefuseLocked(const Client::LastFailure& failure, Rows rows) {
  if (const auto last_line = failure.context.rfind('\n'); last_line != std::string::npos)
    throw Error(OUTBOX_TIMEOUT, "PostgreSQL: " + failure.message + ", in: " + failure.context.substr(last_line + 1),
                kLockTimeout);
  short_waits_until_ = std::chrono::steady_clock::now() + kShortWaitsLast;
  const std::string holder = rows.size() == 1 ? RowHolder(client_, tables_, rows.front().id) : std::string();
  throw Error(OUTBOX_REFUSED, "PostgreSQL: the row is locked by " + (holder.empty() ? "another transaction" : holder),
              kLockTimeout);
}

}  // namespace outbox::postgres
