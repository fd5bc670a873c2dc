#include "mysql/read_sql.hpp"

#include "mysql/list.hpp"
#include "sql/sql_template.hpp"

namespace outbox::mysql {
namespace {

constexpr const char* kToken = "(select token from {shard} where shard = [shard] and owner is not null)";
constexpr const char* kShape = "(select m.shards * 4[unwritable] + exists (select 1 from {retry}) from {meta} m)";
// The part of kShape that is 2 if the table cannot be written. The part is left out if each row of the answer has its
// own copy of kShape, because a subquery with a variable is executed again for each row. An answer of that kind does
// not need the part: if it has rows, the table can be written.
constexpr const char* kUnwritable = " + 2 * (not [writable])";

constexpr const char* kAboutRow = R"(
select 0, [token], null, null, null, null, null, null, null, [shape][nulls] from {meta})";

// True if the server is not read-only. The servers evaluate this condition before the first row, so a read that must
// return no rows costs nothing.
constexpr const char* kWritable = "(@@global.read_only in ('0', 'OFF'))";

// True if the row belongs to the shard. INVARIANT: every relay of an outbox, in every version, computes the same shard
// for a row.
constexpr const char* kOurs =
    "([shards] = 1 or mod(crc32(coalesce(cast(e.aggregate_id as binary), cast(e.id as binary))), [shards]) = [shard])";

// True if the row may have failed. The highest row id in the failures is looked up once for all rows. Rows with higher
// ids need no lookup of their own.
constexpr const char* kFailed = "(e.id <= (select coalesce(max(f.row_id), 0) from {retry} f))";

// True if the row may be sent: it belongs to the shard, is not waiting for its own next attempt, and is not queued
// behind an earlier event of its key (kBehind). A failure whose row somebody has deleted by hand holds back no other
// event, and neither does an undeletable event. Two keys are equal if the bytes that are sent to Kafka are equal, which
// need not be the bytes that the table stores. So keys are converted and compared as bytes: comparisons of text columns
// ignore trailing spaces and, if the application chose such a collation for its table, case. The subqueries return
// single values and never use "exists", because for "exists" MariaDB would build a table of all failures, or of all
// rows.
constexpr const char* kMayGo = R"(([ours]
  and (not [failed] or (select 1 from {retry} r where r.row_id = e.id and r.event_id = e.event_id
       and (r.next_try is null or r.next_try > sysdate(6))) is null)
  and [behind] is null))";
// True if the row may be sent and has never failed.
constexpr const char* kUnfailed = R"(([ours]
  and (select 1 from {retry} r where r.row_id = e.id and r.event_id = e.event_id) is null
  and [behind] is null))";
// NULL unless an earlier event of the row's key has failed and still has to be delivered.
constexpr const char* kBehind = R"((select 1 from {retry} r force index (key_hash)
       where r.key_hash = crc32(convert(e.aggregate_id using utf8mb4)) and r.row_id < e.id and r.remove_at is null
       and cast(r.aggregate_id as binary) = cast(convert(e.aggregate_id using utf8mb4) as binary)
       and (select h.event_id from {event} h where h.id = r.row_id) = r.event_id limit 1))";

// The number of attempts of a row: at least 1 if the row has failed, even if an operator has reset the counter to 0.
constexpr const char* kAttemptsOf =
    "coalesce((select greatest(r.attempts, 1) from {retry} r where r.row_id = e.id and r.event_id = e.event_id), 0)";

constexpr const char* kLateRows = R"(
union all (select if([unfailed], 1, 3), e.id, null, null, null, null, null, null, null, 0[nulls] from {event} e
  where [missing] order by e.id limit [most]))";

constexpr const char* kLateAlone = R"(
select if([unfailed], 1, 3), e.id from {event} e where [missing] order by e.id limit [most])";

// Reads a limited number of failures, in the order in which they fell due. The join goes from the failures to the
// outbox and never the other way round, because the oldest live row of the outbox may lie behind a million deleted
// ones. now() is the time at which the statement began. With sysdate(), which changes while the statement runs, the
// servers would not use the index.
constexpr const char* kDueRows = R"(
union all (select 4, l.row_id, null, null, null, null, null, null, l.next_try,
    coalesce((select 1 from {event} e where e.id = l.row_id and e.event_id = l.event_id and e.id <= [cursor] and [go]), 0)[nulls]
  from (select r.row_id, r.event_id, r.next_try from {retry} r force index (next_try)
        where r.next_try >= '[due]' and r.next_try <= now(6) and (r.next_try > '[due]' or r.row_id > [due row])
        order by r.next_try, r.row_id limit [failures]) l order by l.next_try, l.row_id))";

constexpr const char* kNewRows = R"(
union all (select 2, e.id, e.event_id, e.aggregate_id, e.event_type, e.topic, e.payload, e.headers, e.created_at, 0[captured]
  from {event} e where e.id > [cursor] and [writable] order by e.id limit [rows]))";

constexpr const char* kNewRowsAlone = R"(
select [kind], e.id, e.event_id, e.aggregate_id, e.event_type, e.topic, [payload], [headers], e.created_at, 0, [token],
  [shape][any late][captured]
from {event} e where e.id > [cursor] and [writable] order by e.id limit [rows])";

constexpr const char* kAnyLateRow = ", exists (select 1 from {event} e where [missing])";

// The inner select contains no payload, because its result goes through a temporary table.
constexpr const char* kNewRowsJudged = R"(
union all (select if(x.go, 2, 3), e.id, e.event_id, e.aggregate_id, e.event_type, e.topic, if(x.go, e.payload, null),
    if(x.go, e.headers, null), e.created_at, x.attempts[captured]
  from (select e.id as id, [go] as go, if([failed], [attempts], 0) as attempts from {event} e
        where e.id > [cursor][upto] and [writable] order by e.id limit [rows]) x
  join {event} e on e.id = x.id order by x.id))";

constexpr const char* kByIds = R"(
select 2, e.id, e.event_id, e.aggregate_id, e.event_type, e.topic, e.payload, e.headers, e.created_at, [attempts][captured]
from {event} e where e.id in ([ids]) order by e.id)";

// Minimum number of ranges for which FirstOfEachSql() may read all ids from the first range to the last. If there are
// fewer ranges, each one is looked up by itself, however close together the ranges lie.
constexpr std::size_t kFewRanges = 50;
// Average number of ids per range, counted with the ids between the ranges, below which FirstOfEachSql() reads all ids
// from the first range to the last.
constexpr long long kNear = 64;

std::string Within(const std::vector<IdRange>& ranges) {
  std::string singles, spans;
  for (const IdRange& r : ranges) {
    if (r.first == r.last)
      singles += (singles.empty() ? "" : ",") + std::to_string(r.first);
    else
      spans += " or e.id between " + std::to_string(r.first) + " and " + std::to_string(r.last);
  }
  if (singles.empty()) return "(" + spans.substr(4) + ")";
  return "(e.id in (" + singles + ")" + spans + ")";
}

// Returns `sql` with the captured columns filled in, each of them between `before` and `behind`. The captured columns
// are filled in last, because the name of a column may look like any other placeholder.
std::string WithCaptured(const std::string& sql, const Captured& captured, const std::string& before = "",
                         const char* behind = "") {
  if (captured.empty()) return sql::Fill(sql, {{"[captured]", ""}, {"[nulls]", ""}});
  std::string columns, nulls;
  for (const std::string& column : captured) {
    columns.append(", ").append(before).append(column).append(behind);
    nulls += ", null";
  }
  return sql::Fill(sql, {{"[nulls]", nulls}, {"[captured]", columns}});
}

std::string Complete(const std::string& sql, const sql::Tables& tables, const ReadWish& wish) {
  const bool all = wish.shards == 1;
  return tables.In(sql::Fill(sql, {{"[kind]", all ? "2" : "if([ours], 2, 3)"},
                                   {"[payload]", all ? "e.payload" : "if([ours], e.payload, null)"},
                                   {"[headers]", all ? "e.headers" : "if([ours], e.headers, null)"},
                                   {"[any late]", wish.missing.empty() ? "" : kAnyLateRow},
                                   {"[token]", kToken},
                                   {"[shape]", kShape},
                                   {"[unwritable]", wish.alone ? "" : kUnwritable},
                                   {"[upto]", wish.upto > 0 ? " and e.id <= " + std::to_string(wish.upto) : ""},
                                   {"[go]", !wish.troubled  ? kOurs
                                            : wish.upto > 0 ? kUnfailed
                                                            : kMayGo},
                                   {"[unfailed]", wish.troubled ? kUnfailed : kOurs},
                                   {"[failed]", wish.troubled ? kFailed : "false"},
                                   {"[behind]", kBehind},
                                   {"[ours]", kOurs},
                                   {"[writable]", wish.writes_anyway ? "true" : kWritable},
                                   {"[attempts]", wish.troubled ? kAttemptsOf : "0"},
                                   {"[missing]", wish.missing.empty() ? "" : Within(wish.missing)},
                                   {"[most]", std::to_string(kMaxLate)},
                                   {"[shards]", std::to_string(wish.shards)},
                                   {"[shard]", std::to_string(wish.shard)},
                                   {"[cursor]", std::to_string(wish.cursor)},
                                   {"[due]", wish.due.time},
                                   {"[due row]", std::to_string(wish.due.row)},
                                   {"[failures]", std::to_string(wish.failures)},
                                   {"[rows]", std::to_string(wish.rows)}}));
}

}  // namespace

std::string ReadSql(const sql::Tables& tables, const ReadWish& wish, const Captured& captured) {
  const bool judged = wish.troubled || wish.shards > 1 || wish.upto > 0;
  std::string sql = wish.alone ? kNewRowsAlone : kAboutRow;
  if (!wish.missing.empty() && !wish.alone) sql += kLateRows;
  if (wish.troubled && wish.failures > 0) sql += kDueRows;
  if (!wish.alone) sql += judged ? kNewRowsJudged : kNewRows;
  sql = Complete(sql, tables, wish);
  // For rows that must not be sent, the answer contains NULL in place of the captured values.
  if (wish.alone && wish.shards == 1) return WithCaptured(sql, captured);
  if (wish.alone) return WithCaptured(sql, captured, "if(" + Complete(kOurs, tables, wish) + ", ", ", null)");
  return judged ? WithCaptured(sql, captured, "if(x.go, ", ", null)") : WithCaptured(sql, captured);
}

std::string LateSql(const sql::Tables& tables, const ReadWish& wish) { return Complete(kLateAlone, tables, wish); }

std::string ByIdsSql(const sql::Tables& tables, std::span<const long long> ids, bool troubled,
                     const Captured& captured) {
  return WithCaptured(
      tables.In(sql::Fill(kByIds, {{"[attempts]", troubled ? kAttemptsOf : "0"}, {"[ids]", sql::Listed(ids)}})),
      captured);
}

std::string FirstOfEachSql(const sql::Tables& tables, std::span<const IdRange> ranges) {
  const long long first = ranges.front().first, last = ranges.back().last;
  if (ranges.size() >= kFewRanges && last - first < kNear * static_cast<long long>(ranges.size()))
    return tables.In("select id from {event} where id between " + std::to_string(first) + " and " +
                     std::to_string(last));
  std::vector<long long> singles;
  std::string sql;
  const auto add = [&sql](const std::string& select) { sql += (sql.empty() ? "" : " union all ") + select; };
  for (const IdRange& r : ranges) {
    if (r.first == r.last)
      singles.push_back(r.first);
    else
      add("(select id from {event} where id between " + std::to_string(r.first) + " and " + std::to_string(r.last) +
          " order by id limit 1)");
  }
  if (!singles.empty()) add("(select id from {event} where id in (" + sql::Listed(singles) + "))");
  return tables.In(sql);
}

std::string LastSql(const sql::Tables& tables) { return tables.In("select id from {event} order by id desc limit 1"); }

}  // namespace outbox::mysql
