#include "sql/event_listing.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "outbox/text.hpp"
#include "sql/row_id.hpp"
#include "sql/sql_template.hpp"
#include "sql/time.hpp"

namespace outbox::sql {
namespace {

enum Column : std::size_t {
  kId,
  kEventId,
  kKey,
  kType,
  kTopic,
  kPayload,
  kHeaders,
  kPayloadSize,
  kCreated,
  kAttempts,
  kState,
  kShard,
  kNow,
  kFirstFailed,
  kLastFailed,
  kNextTry,
  kReason,
  kError,
  kColumns,  // the first of the columns of a captured row, which come last
};

constexpr const char* kWaiting = R"(
select cast(e.id as [text]), [event], [what], cast([created] as [text]), cast(coalesce(r.attempts, 0) as [text]),
  case when r.row_id is null then '1' when r.remove_at is not null then '5' when r.next_try is null then '3' else '2' end, cast([shard] as [text]),
  cast([shown now] as [text]), cast([first] as [text]), cast([last] as [text]), cast([next] as [text]), r.reason, r.error[columns]
from {event} e cross join {meta} m left join {retry} r on r.row_id = e.id[same failure]
where e.id > cast(:after as [integer]) and e.id < cast(:before as [integer])[only] order by e.id [limit])";

constexpr const char* kFailed = R"(
select cast(e.id as [text]), [event], [what], cast([created] as [text]), cast(r.attempts as [text]),
  case when r.remove_at is not null then '5' when r.next_try is null then '3' else '2' end, cast([shard] as [text]),
  cast([shown now] as [text]), cast([first] as [text]), cast([last] as [text]), cast([next] as [text]), r.reason, r.error[columns]
from {retry} r cross join {meta} m join {event} e on e.id = r.row_id[same failure]
where r.row_id > cast(:after as [integer]) and r.row_id < cast(:before as [integer]) and r.remove_at is [or not] null[only]
order by r.row_id [limit])";

constexpr const char* kDead = R"(
select cast(e.row_id as [text]), [event], [what], cast([created] as [text]), cast(e.attempts as [text]),
  '4', null, cast([shown now] as [text]), cast([first] as [text]), cast([last] as [text]), null, e.reason, e.error[columns]
from {dead} e
where e.row_id > cast(:after as [integer]) and e.row_id < cast(:before as [integer])[only]
order by e.row_id [limit])";

std::string Unhex(std::string_view hex) {
  const auto nibble = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
  std::string bytes;
  bytes.reserve(hex.size() / 2);
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(nibble(hex[i]) * 16 + nibble(hex[i + 1]));
  return bytes;
}

Bytes View(const Value& value) { return value ? Bytes(*value) : std::nullopt; }

void Decode(Row& row) {
  for (const std::size_t column : {kKey, kType, kTopic, kPayload, kHeaders})
    if (row[column]) row[column] = Unhex(*row[column]);
  for (std::size_t column = kColumns; column < row.size(); ++column)
    if (row[column]) row[column] = Unhex(*row[column]);
}

// Returns the columns of a captured row. The result points into `row`.
std::vector<outbox_bytes> ColumnsOf(Row& row, const Dialect& d) {
  std::vector<outbox_bytes> columns;
  for (std::size_t column = kColumns; column < row.size(); ++column) {
    if (d.written && row[column]) row[column] = d.written(column - kColumns, *row[column]);
    columns.push_back(Raw(View(row[column])));
  }
  return columns;
}

Record ToRecord(const Row& row) {
  Record r;
  r.event = {ToNumber(row[kId]),
             *row[kEventId],
             View(row[kKey]),
             *row[kType],
             *row[kTopic],
             View(row[kPayload]),
             View(row[kHeaders]),
             ToMicros(row[kCreated]),
             static_cast<std::uint32_t>(ToNumber(row[kAttempts]))};
  r.payload_size = row[kPayloadSize] ? ToNumber(row[kPayloadSize]) : -1;
  r.state = static_cast<std::int32_t>(ToNumber(row[kState]));
  r.shard = static_cast<std::uint32_t>(ToNumber(row[kShard]));
  r.now_us = ToMicros(row[kNow]);
  r.first_failed_us = ToMicros(row[kFirstFailed]);
  r.last_failed_us = ToMicros(row[kLastFailed]);
  r.next_try_us = ToMicros(row[kNextTry]);
  r.reason = View(row[kReason]);
  r.error = View(row[kError]);
  return r;
}

// Converts a pattern with * to a pattern for LIKE, in which ! is the escape character. A backslash is not used, because
// its effect depends on the server's settings.
std::string ToLike(std::string_view pattern) {
  std::string like;
  for (const char c : pattern) {
    if (c == '%' || c == '_' || c == '!') like += '!';
    like += c == '*' ? '%' : c;
  }
  return like;
}

std::string Id(const std::optional<RowId>& row_id, long long otherwise) {
  return std::to_string(row_id ? row_id->number() : otherwise);
}

}  // namespace

void ListRecords(Statements& db, const Tables& tables, const Dialect& d, const Query& query,
                 const std::function<bool(Record&)>& found) {
  const bool dead = query.from == OUTBOX_FROM_DEAD, delivered = query.from == OUTBOX_FROM_DELIVERED,
             failed = delivered || query.from == OUTBOX_FROM_FAILED;
  // A text column cannot hold a value that is not valid text, so no event can match it.
  for (const Bytes& wanted : {query.key, query.event_id, query.topic})
    if (wanted && !IsText(*wanted)) return;

  Statement statement;
  statement.values = {Id(query.after, std::numeric_limits<long long>::min()),
                      Id(query.before, std::numeric_limits<long long>::max())};
  std::string only;
  if (query.key) {
    only += " and " + d.same_key(failed ? "r.aggregate_id" : "e.aggregate_id");
    statement.values.emplace_back(*query.key);
  }
  if (query.event_id) {
    only += " and " + d.same_event;
    statement.values.emplace_back(*query.event_id);
  }
  if (query.topic) {
    only += " and " + d.text_of("e.topic") + " like :topic escape '!'";
    statement.values.emplace_back(ToLike(*query.topic));
  }
  const std::string what = d.bytes("e.aggregate_id") + ", " + d.bytes("e.event_type") + ", " + d.bytes("e.topic") +
                           ", " +
                           (query.contents ? d.payload + ", " + d.bytes("e.headers") : std::string("null, null")) +
                           ", cast(" + d.payload_size + " as [text])";
  statement.sql = d.In(tables, Fill(dead     ? kDead
                                    : failed ? kFailed
                                             : kWaiting,
                                    {{"[only]", only},
                                     {"[or not]", delivered ? "not" : ""},
                                     {"[what]", what},
                                     {"[event]", d.shown_id},
                                     {"[created]", d.time("e.created_at")},
                                     {"[shard]", d.shard},
                                     {"[first]", d.time(dead ? "e.first_failed" : "r.first_failed")},
                                     {"[last]", d.time(dead ? "e.died_at" : "r.last_failed")},
                                     {"[next]", d.shown("coalesce(r.remove_at, r.next_try)")},
                                     {"[limit]", d.limit(std::to_string(query.max))}}));
  std::string captured;
  for (const std::string& column : d.columns) captured += ", " + column;
  // This replacement must be the last one: the name of a column may look like a placeholder.
  statement.sql = Fill(statement.sql, {{"[columns]", captured}});
  for (Row& row : db.Run(statement)) {
    if (d.hex) Decode(row);
    Record record = ToRecord(row);
    const std::vector<outbox_bytes> columns = ColumnsOf(row, d);
    record.event.columns = columns;
    if (!found(record)) return;
  }
}

}  // namespace outbox::sql
