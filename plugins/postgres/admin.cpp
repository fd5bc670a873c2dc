// outbox.admin/1 on PostgreSQL.
#include "postgres/adapter.hpp"
#include "sql/event_listing.hpp"
#include "sql/row_id.hpp"

namespace outbox::postgres {
namespace {

// Locked first and in order: of two that take the same, the second waits, and then finds nothing.
constexpr const char* kRequeue = R"(
with l as materialized (select row_id from {dead} where row_id = any(cast(:ids as bigint[])) order by row_id for update),
  d as (delete from {dead} d using l where d.row_id = l.row_id returning d.*),
  i as (insert into {event} (event_id, topic, aggregate_id, event_type, payload, headers)
    select event_id, topic, aggregate_id, event_type, payload, headers from d order by row_id returning 1)
select cast(count(*) as text) from i)";

constexpr const char* kDiscard = R"(
with l as materialized (select row_id from {dead} where row_id = any(cast(:ids as bigint[])) order by row_id for update),
  d as (delete from {dead} d using l where d.row_id = l.row_id returning 1)
select cast(count(*) as text) from d)";

constexpr const char* kDiscardBlocked = R"(
with l as materialized (select row_id, event_id from {retry}
    where row_id = any(cast(:ids as bigint[])) and next_try is null and remove_at is null order by row_id for update),
  r as (delete from {retry} r using l where r.row_id = l.row_id),
  e as (delete from {event} e using l where e.id = l.row_id and e.event_id = l.event_id returning 1)
select cast(count(*) as text) from e)";

constexpr const char* kRetryNow = R"(
with l as materialized (select r.row_id from {retry} r join {event} e on e.id = r.row_id and e.event_id = r.event_id
    where r.row_id = any(cast(:ids as bigint[])) and r.remove_at is null order by r.row_id for update of r),
  u as (update {retry} r set next_try = clock_timestamp(), attempts = 1 from l where r.row_id = l.row_id returning 1)
select cast(count(*) as text) from u)";

std::string ToArrayText(RowIds rows) {
  std::string text = "{";
  for (const std::string_view row : rows)
    if (const auto id = sql::ParseId(row)) text += (text.size() > 1 ? "," : "") + std::to_string(*id);
  return text + "}";
}

sql::RecordDialect Dialect(const EventColumns& columns) {
  const bool json = columns.payload == "json" || columns.payload == "jsonb";
  sql::RecordDialect d;
  d.integer = "bigint";
  d.text = "text";
  d.bytes = [](const std::string& column) { return "encode(convert_to(cast(" + column + " as text), 'UTF8'), 'hex')"; };
  // LIKE does not take a collation that calls different texts equal.
  d.text_of = [](const std::string& column) { return "cast(" + column + R"( as text) collate "C")"; };
  d.time = MicrosOf;
  d.now = d.time("clock_timestamp()");
  d.next_try = d.time("coalesce(r.remove_at, r.next_try)");
  d.event_id = "cast(e.event_id as text)";
  d.same_event = "cast(e.event_id as text) = lower(cast(:event as text))";
  d.same_key = [](const std::string& column) { return column + " = cast(:key as text)"; };
  d.same_failure = " and r.event_id = e.event_id";
  d.shard = "mod(coalesce(hashtext(e.aggregate_id), hashint8(e.id)) & 2147483647, m.shards)";
  d.payload = columns.IsBytea() ? "encode(e.payload, 'hex')" : d.bytes("e.payload");
  d.payload_size = json ? "octet_length(cast(e.payload as text))" : "octet_length(e.payload)";
  return d;
}

}  // namespace

void Adapter::List(const Query& query, const Found& found) {
  Client& db = Borrowed();
  RequireOwn(db, sql::Access::kReads);
  LookForHiddenRows(db);
  sql::ListRecords(db, config_->tables, Dialect(Columns()), query, found);
}

std::uint64_t Adapter::Requeue(RowIds rows) { return Change(kRequeue, rows); }

std::uint64_t Adapter::Discard(RowIds rows) { return Change(kDiscard, rows); }

std::uint64_t Adapter::DiscardBlocked(RowIds rows) { return Change(kDiscardBlocked, rows); }

std::uint64_t Adapter::RetryNow(RowIds rows) { return Change(kRetryNow, rows); }

std::uint64_t Adapter::Change(const char* sql, RowIds rows) {
  Client& db = Borrowed();
  RequireOwn(db);
  const sql::Rows changed = db.Run({config_->tables.In(sql), {ToArrayText(rows)}});
  return static_cast<std::uint64_t>(sql::ToNumber(changed.at(0)[0]));
}

}  // namespace outbox::postgres
