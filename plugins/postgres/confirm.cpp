#include "postgres/confirm.hpp"

#include <algorithm>
#include <cstdlib>

#include "outbox/text.hpp"
#include "postgres/array.hpp"
#include "postgres/errors.hpp"
#include "postgres/locks.hpp"
#include "sql/row_id.hpp"
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

constexpr const char* kDue = R"(
select cast(row_id as text), cast(event_id as text) from {retry}
where remove_at <= clock_timestamp() order by remove_at limit 500)";
constexpr const char* kNamed = R"(
select cast(row_id as text), cast(event_id as text) from {retry}
where row_id = any(cast(:ids as bigint[])) and remove_at is not null order by row_id)";
constexpr const char* kForget = "delete from {retry} where [named failures]";
constexpr const char* kPostpone = R"(
update {retry} set remove_at = clock_timestamp() + cast(:again as bigint) * interval '1 millisecond',
  attempts = attempts + 1, last_failed = clock_timestamp(), error = cast(:why as text)
where [named failures])";
// Of texts: the ids, their event ids, and the ids once more.
constexpr const char* kNamedFailures = R"(row_id = any(cast(:ids as bigint[])) and remove_at is not null
  and event_id = (cast(:events as uuid[]))[width_bucket(cast(row_id as bigint), cast(:ids as bigint[]))])";
constexpr std::size_t kMaxError = 1000;

// How long a delete may wait for a row that somebody else has locked. Once one was waited for, the others of its confirm are
// not waited for as long: they are asked for again, fewer at a time, until the row is found.
constexpr Millis kLockWait{2000}, kShortLockWait{50};
constexpr auto kShortWaitsLast = std::chrono::seconds(10);

std::string In(const sql::Tables& tables, const char* sql) {
  const std::string events = sql::Fill(kThese, {{"[id]", "id"}}), failures = sql::Fill(kThese, {{"[id]", "row_id"}});
  return tables.In(
      sql::Fill(sql, {{"[these]", events}, {"[these failures]", failures}, {"[named failures]", kNamedFailures}}));
}

// As texts of arrays.
struct Named {
  std::string ids = "{", events = "{";
  explicit Named(sql::RemovalSteps::Rows rows) {
    for (const sql::DeliveredRow& row : rows) {
      const char* const comma = ids.size() > 1 ? "," : "";
      ids += comma + std::to_string(row.id);
      events += comma + row.event_id;
    }
    ids += "}";
    events += "}";
  }
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

Confirmation::Confirmation(Client& client, const sql::Tables& tables) : client_(client), tables_(tables) {
  const std::vector<Oid> types{kInt8Array, kUuidArray};
  client_.LimitLocks(kLockWait);
  client_.Prepare("confirm", In(tables, kConfirm), types);
  client_.Prepare("remove", In(tables, kRemove), types);
  client_.Prepare("still_there", In(tables, kStillThere), types);
}

// Sorted: two relays that delete the same rows meet them in the same order.
void Confirmation::Confirm(ConfirmedRows rows, KeptRows& kept) {
  std::vector<Row> sorted;
  sorted.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const ConfirmedRow row = rows[i];
    const auto id = sql::ParseId(row.row_id);
    std::string uuid = ParseUuid(row.event_id);
    if (id && !uuid.empty()) sorted.push_back({*id, std::move(uuid), i});
  }
  std::sort(sorted.begin(), sorted.end(), [](const Row& a, const Row& b) { return a.id < b.id; });
  const bool short_waits = std::chrono::steady_clock::now() < short_waits_until_;
  client_.LimitLocks(short_waits ? kShortLockWait : kLockWait);
  const std::vector<std::uint8_t> still_there = Delete("confirm", sorted);
  for (std::size_t i = 0; i < still_there.size(); ++i)
    if (still_there[i] != 0) kept.Add(sorted[i].place);
}

// A count that is too small says nothing by itself: another relay may have been quicker, or somebody has deleted a row by
// hand. What a later snapshot still shows is a fact.
std::vector<std::uint8_t> Confirmation::Delete(const char* statement, const std::vector<Row>& rows, bool look_anyway) {
  std::vector<std::uint8_t> kept(rows.size(), 0);
  if (rows.empty()) return kept;
  Array ids(kInt8), uuids(kUuid);
  for (const Row& row : rows) {
    ids.Add(row.id);
    uuids.Add(Bytes(row.uuid));
  }
  const std::string id_array = ids.Take(), uuid_array = uuids.Take();
  const std::vector<Parameter> both{{id_array, true}, {uuid_array, true}};
  try {
    const bool all = std::strtoull(PQcmdTuples(client_.Execute(statement, both).raw()), nullptr, 10) >= rows.size();
    if (all && !look_anyway) return kept;
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
  for (int i = 0; i < found.rows(); ++i) {
    const long long id = found.Number(i, 0);
    const auto at = std::lower_bound(rows.begin(), rows.end(), id,
                                     [](const Row& row, long long wanted) { return row.id < wanted; });
    if (at != rows.end()) kept[static_cast<std::size_t>(at - rows.begin())] = 1;
  }
  return kept;
}

// After a wait for a lock of a row has ended without it. Where a trigger waits for what it writes to, no row can be removed,
// and nothing would be found by asking for fewer. While PostgreSQL waits for the transaction that has a row of ours, the
// context is one line, which names the row; while it waits for others that wait for the row, there is none.
void Confirmation::RefuseLocked(const Client::LastFailure& failure, const std::vector<Row>& rows) {
  if (const auto last_line = failure.context.rfind('\n'); last_line != std::string::npos)
    throw Error(OUTBOX_TIMEOUT, "PostgreSQL: " + failure.message + ", in: " + failure.context.substr(last_line + 1),
                kLockTimeout);
  short_waits_until_ = std::chrono::steady_clock::now() + kShortWaitsLast;
  const std::string holder = rows.size() == 1 ? RowHolder(client_, tables_, rows.front().id) : std::string();
  throw Error(OUTBOX_REFUSED, "PostgreSQL: the row is locked by " + (holder.empty() ? "another transaction" : holder),
              kLockTimeout);
}

std::uint64_t Confirmation::RemoveDelivered(RowIds rows, Millis again) {
  std::string named;
  for (const std::string_view row : rows)
    if (const auto id = sql::ParseId(row)) named += (named.empty() ? "" : ",") + std::to_string(*id);
  const sql::Rows found =
      rows.empty() ? client_.Run({tables_.In(kDue), {}}) : client_.Run({tables_.In(kNamed), {"{" + named + "}"}});
  std::vector<sql::DeliveredRow> due;
  for (const sql::Row& row : found) due.push_back({sql::ToNumber(row[0]), row[1].value_or("")});
  std::sort(due.begin(), due.end(), [](const auto& a, const auto& b) { return a.id < b.id; });

  // A relay has more to do than to wait for these.
  const Millis wait = rows.empty() ? kShortLockWait : kLockWait;
  sql::RemovalSteps steps;
  steps.remove = [this, wait](sql::RemovalSteps::Rows some) {
    std::vector<Row> sorted;
    for (const sql::DeliveredRow& row : some) sorted.push_back({row.id, ParseUuid(row.event_id), 0});
    client_.LimitLocks(wait);
    return Delete("remove", sorted, true);  // also where a trigger has put it back
  };
  steps.forget = [this](sql::RemovalSteps::Rows some) {
    const Named these(some);
    client_.LimitLocks(kLockWait);
    (void)client_.Run({In(tables_, kForget), {these.ids, these.events, these.ids}});
  };
  steps.postpone = [this, again](sql::RemovalSteps::Rows some, const std::string& why) {
    const Named these(some);
    client_.LimitLocks(kLockWait);
    (void)client_.Run({In(tables_, kPostpone),
                       {std::to_string(again.count()), ToText(why, kMaxError), these.ids, these.events, these.ids}});
  };
  steps.has_time = [this] { return !client_.PastHalf(); };
  return sql::RemoveDelivered(due, steps);
}

}  // namespace outbox::postgres
