#include "postgres/confirm.hpp"

#include <cstdlib>

#include "postgres/array.hpp"
#include "postgres/dialect.hpp"
#include "postgres/errors.hpp"
#include "postgres/locks.hpp"
#include "sql/sql_template.hpp"

namespace outbox::postgres {
namespace {

// Condition that makes the server find the rows by the primary key, regardless of the statistics. $1 holds the sorted
// ids, and $2 the event ids in the same order. The event id of a row is looked up by the position of the row's id in
// $1, and not by a join.
constexpr const char* kThese = "[id] = any($1) and event_id = ($2)[[at]]";
// Condition that finds rows by their ctids, $3. It also compares both ids, because another row may have the ctid by
// now, perhaps even one with the same event id.
constexpr const char* kTheseThere = "ctid = any($3) and [id] = ($1)[[at]] and event_id = ($2)[[at]]";

// The statement deletes the rows and their failures, and returns how many rows of the outbox were deleted. {retry} is
// almost always empty, so deleting the failures costs only one look-up.
//
// The commit does not wait until it is on disk. If a crash of the server undoes the commit, the events are sent twice;
// a wait for the disk would compete with the application's commits for the same disk (docs/design/decisions/0018).
constexpr const char* kConfirm = R"(
with settled as (delete from {retry} where [these failures] and exists (select 1 from {retry}))
delete from {event} where [these] and (select set_config('synchronous_commit', 'off', true)) is not null)";
constexpr const char* kRemove = "delete from {event} where [these]";
constexpr const char* kStillThere = "select cast(id as bigint) from {event} where [these]";

// Time for which a delete waits for a row that another transaction has locked. After a delete has waited in vain, the
// other rows of the same confirm are deleted in smaller and smaller groups, with kShortLockWait, until the locked row
// is found.
constexpr Millis kLockWait{2000}, kShortLockWait{50};
constexpr auto kShortWaitsLast = std::chrono::seconds(10);

std::string In(const sql::Tables& tables, const char* sql, const char* these = kThese) {
  const auto with = [](const char* condition, const char* id) {
    return sql::Fill(condition, {{"[at]", "width_bucket(cast([id] as bigint), $1)"}, {"[id]", id}});
  };
  return tables.In(sql::Fill(sql, {{"[these]", with(these, "id")}, {"[these failures]", with(kThese, "row_id")}}));
}

// Limits the waits for locks as long as the object lives; afterwards kLockWait applies.
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

// The parameters of a delete. by_id() and by_place() return parameter lists for the same rows; the list of by_place()
// also contains the places.
struct Named {
  std::string ids, uuids, places;
  [[nodiscard]] std::vector<Parameter> by_id() const { return {{ids, true}, {uuids, true}}; }
  [[nodiscard]] std::vector<Parameter> by_place() const { return {{ids, true}, {uuids, true}, {places, true}}; }
};

// Names the rows whose event id is a valid UUID. `places` holds the place of each row, in the same order; if `places`
// is empty, the result has no places.
Named Name(std::span<const sql::OutboxRow> rows, std::span<const RowPlaces::Row> places = {}) {
  Array ids(kInt8), uuids(kUuid), tids(kTid);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string uuid = ParseUuid(rows[i].event_id);
    if (uuid.empty()) continue;
    ids.Add(rows[i].id);
    uuids.Add(Bytes(uuid));
    if (!places.empty()) tids.AddPlace(places[i].place);
  }
  return {ids.Take(), uuids.Take(), tids.Take()};
}

std::size_t DeletedBy(const Result& result) { return std::strtoull(PQcmdTuples(result.raw()), nullptr, 10); }

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

Confirmation::Confirmation(Client& client, const sql::Tables& tables, RowPlaces& places)
    : sql::Confirmation(client, tables, Dialect()), client_(client), tables_(tables), places_(places) {
  const std::vector<Oid> types{kInt8Array, kUuidArray};
  client_.LimitLocks(kLockWait);
  client_.Prepare("confirm", In(tables, kConfirm), types);
  client_.Prepare("confirm_there", In(tables, kConfirm, kTheseThere), {kInt8Array, kUuidArray, kTidArray});
  client_.Prepare("remove", In(tables, kRemove), types);
  client_.Prepare("still_there", In(tables, kStillThere), types);
}

std::size_t Confirmation::DeleteRows(Rows rows, For what) {
  if (what != For::kConfirm) return DeletedBy(client_.Execute("remove", Name(rows).by_id()));
  std::vector<RowPlaces::Row> places;
  places.reserve(rows.size());
  for (const sql::OutboxRow& row : rows) places.push_back({row.id, 0});
  places_.Find(places);
  std::vector<sql::OutboxRow> placed, others;
  for (std::size_t i = 0; i < rows.size(); ++i) (places[i].place != 0 ? placed : others).push_back(rows[i]);
  std::erase_if(places, [](const RowPlaces::Row& row) { return row.place == 0; });
  std::size_t deleted = 0;
  if (!placed.empty()) {
    deleted = DeletedBy(client_.Execute("confirm_there", Name(placed, places).by_place()));
    if (deleted < placed.size()) others.assign(rows.begin(), rows.end());
  }
  if (!others.empty()) deleted += DeletedBy(client_.Execute("confirm", Name(others).by_id()));
  return deleted;
}

Confirmation::Kept Confirmation::Delete(Rows rows, For what) {
  const bool short_waits =
      what == For::kConfirm ? std::chrono::steady_clock::now() < short_waits_until_ : what == For::kRelaysRemoval;
  const LockLimit limit(client_, short_waits ? kShortLockWait : kLockWait);
  try {
    if (DeleteRows(rows, what) >= rows.size() && what == For::kConfirm) return Kept(rows.size(), 0);
  } catch (const Error& error) {
    const Client::LastFailure failure = client_.failure();
    if (error.sqlstate == kLockTimeout && failure.holder.empty()) RefuseLocked(failure, rows);
    // The limit for a lock is shorter than the limit for the statement. So if the statement has exceeded its limit and
    // no lock holder is known, the delete itself is slow, for example because of a trigger.
    const bool slow = error.sqlstate == kStatementTimeout && failure.holder.empty();
    if (!slow && !IsRefusal(error.sqlstate, failure.within_function())) throw;
    throw Error(OUTBOX_REFUSED,
                "PostgreSQL: " + failure.message + (slow ? "; something makes the delete slow, such as a trigger" : ""),
                error.sqlstate);
  }
  const Result found = client_.Execute("still_there", Name(rows).by_id());
  std::vector<long long> there;
  there.reserve(static_cast<std::size_t>(found.rows()));
  for (int i = 0; i < found.rows(); ++i) there.push_back(found.Number(i, 0));
  return StillThere(rows, there);
}

// Throws the error for a row lock that was not obtained in time. If a trigger waited for something that it writes to,
// the error is OUTBOX_TIMEOUT, because then no row can be removed, and deleting fewer rows at a time does not help. The
// context of the error then has several lines. If the delete itself waited for the transaction that has locked one of
// the rows, the context is one line, which names the row; if it waited for other waiters of that row, there is no
// context.
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
