#include "postgres/dialect.hpp"

namespace outbox::postgres {
namespace {

// The rows are locked first and in order: if two calls name the same rows, the second call waits and then finds
// nothing.
constexpr const char* kRequeue = R"(
with l as materialized (select row_id from {dead} where row_id = any(cast('{[ids]}' as bigint[])) order by row_id for update),
  d as (delete from {dead} d using l where d.row_id = l.row_id returning d.*),
  i as (insert into {event} (event_id, topic, aggregate_id, event_type, payload, headers{copies})
    select event_id, topic, aggregate_id, event_type, payload, headers{copies} from d order by row_id returning 1)
select cast(count(*) as text) from i)";

constexpr const char* kDiscard = R"(
with l as materialized (select row_id from {dead} where row_id = any(cast('{[ids]}' as bigint[])) order by row_id for update),
  d as (delete from {dead} d using l where d.row_id = l.row_id returning 1)
select cast(count(*) as text) from d)";

constexpr const char* kDiscardBlocked = R"(
with l as materialized (select row_id, event_id from {retry}
    where row_id = any(cast('{[ids]}' as bigint[])) and next_try is null and remove_at is null order by row_id for update),
  r as (delete from {retry} r using l where r.row_id = l.row_id),
  e as (delete from {event} e using l where e.id = l.row_id and e.event_id = l.event_id returning 1)
select cast(count(*) as text) from e)";

constexpr const char* kRetryNow = R"(
with l as materialized (select r.row_id from {retry} r join {event} e on e.id = r.row_id and e.event_id = r.event_id
    where r.row_id = any(cast('{[ids]}' as bigint[])) and r.remove_at is null order by r.row_id for update of r),
  u as (update {retry} r set next_try = clock_timestamp(), attempts = 1 from l where r.row_id = l.row_id returning 1)
select cast(count(*) as text) from u)";

}  // namespace

const sql::Dialect& Dialect() {
  static const sql::Dialect kDialect = DialectFor({});
  return kDialect;
}

sql::Dialect DialectFor(const EventColumns& columns) {
  sql::Dialect d;
  d.server = "PostgreSQL";
  d.lock = " for update";
  d.now = d.stamp = "clock_timestamp()";
  d.later = "clock_timestamp() + cast(:ms as bigint) * interval '1 millisecond'";
  d.left = "cast(extract(epoch from r.expires - t.at) * 1000 as bigint)";
  d.shown = d.time = MicrosOf;
  d.same_failure = " and r.event_id = e.event_id";
  d.event_id = "cast(:event as uuid)";
  d.behind =
      "hashtext(r.aggregate_id) = hashtext(e.aggregate_id) and r.row_id + 0 < e.id and r.aggregate_id = e.aggregate_id";
  d.estimate = "(select cast(reltuples as bigint) from pg_class where oid = cast('{event}' as regclass))";
  d.bytes = [](const std::string& column) { return "encode(convert_to(cast(" + column + " as text), 'UTF8'), 'hex')"; };
  // The collation is set to "C", because LIKE rejects a collation under which different texts are equal.
  d.text_of = [](const std::string& column) { return "cast(" + column + R"( as text) collate "C")"; };
  d.shown_id = "cast(e.event_id as text)";
  d.same_event = "cast(e.event_id as text) = lower(cast(:event as text))";
  d.same_key = [](const std::string& column) { return column + " = cast(:key as text)"; };
  d.shard = "mod(coalesce(hashtext(e.aggregate_id), hashint8(e.id)) & 2147483647, m.shards)";
  d.payload = columns.IsBytea() ? "encode(e.payload, 'hex')" : d.bytes("e.payload");
  d.payload_size = columns.IsJson() ? "octet_length(cast(e.payload as text))" : "octet_length(e.payload)";
  for (const int copy : columns.mapped) d.columns.push_back(columns.Shown(copy));
  d.written = [columns](std::size_t column, const std::string& value) {
    return columns.Written(columns.mapped.at(column), value);
  };
  d.requeue = {{kRequeue}};
  d.discard = {{kDiscard}};
  d.discard_blocked = {{kDiscardBlocked}};
  d.retry_now = {{kRetryNow}};
  return d;
}

}  // namespace outbox::postgres
