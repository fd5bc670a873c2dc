// outbox.admin/1 on MySQL and MariaDB.
#include "mysql/adapter.hpp"
#include "mysql/list.hpp"
#include "mysql/schema.hpp"
#include "sql/event_listing.hpp"
#include "sql/sql_template.hpp"

namespace outbox::mysql {
namespace {

// Locked first: of two that take the same, the second finds nothing.
constexpr const char* kLockDead = "select row_id from {dead} where row_id in ([ids]) order by row_id for update";
constexpr const char* kRequeue = R"(
insert into {event} (event_id, topic, aggregate_id, event_type, payload, headers)
select event_id, topic, aggregate_id, event_type, [payload], headers from {dead} where row_id in ([ids]) order by row_id)";
constexpr const char* kDropDead = "delete from {dead} where row_id in ([ids])";

// From the failures to the outbox, row by row: see JoinedByRow.
constexpr const char* kDropBlocked = R"(
delete r, e from {retry} r straight_join {event} e force index (primary) on e.id = r.row_id and e.event_id = r.event_id
where r.row_id in ([ids]) and r.next_try is null and r.remove_at is null)";
constexpr const char* kRetryNow = R"(
update {retry} r straight_join {event} e force index (primary) on e.id = r.row_id and e.event_id = r.event_id
set r.next_try = sysdate(6), r.attempts = 1 where r.row_id in ([ids]) and r.remove_at is null)";

sql::Statement ForIds(const sql::Tables& t, const char* sql, std::span<const long long> ids,
                      const std::string& payload = {}) {
  return {t.In(sql::Fill(sql, {{"[ids]", Listed(ids)}, {"[payload]", payload}})), {}};
}

// How many dead letters went; `requeue` or are dropped.
std::uint64_t TakeDead(Client& db, const sql::Tables& t, const std::vector<long long>& ids, bool requeue) {
  if (ids.empty()) return 0;
  std::vector<sql::Statement> steps{ForIds(t, kLockDead, ids)};
  if (requeue) steps.push_back(ForIds(t, kRequeue, ids, PayloadFromBlob(db, t)));
  steps.push_back(ForIds(t, kDropDead, ids));
  return db.RunTogether(steps).front().size();
}

sql::RecordDialect Dialect() {
  sql::RecordDialect d;
  d.integer = "signed";
  d.text = "char";
  d.bytes = d.time = d.text_of = [](const std::string& column) { return column; };
  d.hex = false;
  d.now = "sysdate(6)";
  d.next_try = "coalesce(r.remove_at, r.next_try)";
  d.event_id = "e.event_id";
  d.same_event = "e.event_id = :event";  // not cast: a literal takes the collation of the column
  // Text columns compare without trailing spaces, and may do so without case.
  d.same_key = [](const std::string& column) {
    return "cast(convert(" + column + " using utf8mb4) as binary) = cast(:key as binary)";
  };
  d.same_failure = " and r.event_id = e.event_id";
  d.shard = "mod(crc32(coalesce(cast(e.aggregate_id as binary), cast(e.id as binary))), m.shards)";
  d.payload = "e.payload";
  d.payload_size = "octet_length(e.payload)";
  return d;
}

}  // namespace

void Adapter::List(const Query& query, const Found& found) {
  static const sql::RecordDialect kDialect = Dialect();
  Client& db = OwnDb(sql::Access::kReads);
  LookForHiddenRows(db);
  sql::ListRecords(db, config_->tables, kDialect, query, found);
}

std::uint64_t Adapter::Requeue(RowIds rows) { return TakeDead(OwnDb(), config_->tables, SortedIds(rows), true); }

std::uint64_t Adapter::Discard(RowIds rows) { return TakeDead(OwnDb(), config_->tables, SortedIds(rows), false); }

std::uint64_t Adapter::DiscardBlocked(RowIds rows) {
  const std::vector<long long> ids = SortedIds(rows);
  if (ids.empty()) return 0;
  return OwnDb().Execute(ForIds(config_->tables, kDropBlocked, ids).sql) / 2;  // a row of either table
}

std::uint64_t Adapter::RetryNow(RowIds rows) {
  const std::vector<long long> ids = SortedIds(rows);
  return ids.empty() ? 0 : OwnDb().Execute(ForIds(config_->tables, kRetryNow, ids).sql);
}

}  // namespace outbox::mysql
