#include "sqlite/dialect.hpp"

#include "sqlite/time.hpp"

namespace outbox::sqlite {
namespace {

constexpr const char* kRequeue = R"(
insert into {event} (event_id, topic, aggregate_id, event_type, payload, headers{copies})
select event_id, topic, aggregate_id, event_type, payload, headers{e.copies} from {dead} as e where row_id in ([ids])
order by row_id)";
constexpr const char* kDropDead = "delete from {dead} where row_id in ([ids])";
constexpr const char* kDropBlocked = R"(
delete from {event} as e where e.id in ([ids]) and exists (
  select 1 from {retry} r where r.row_id = e.id[same failure] and r.next_try is null and r.remove_at is null))";
constexpr const char* kSettle =
    "delete from {retry} where row_id in ([ids]) and next_try is null and remove_at is null";
constexpr const char* kRetryNow = R"(
update {retry} as r set next_try = [now], attempts = 1
where r.row_id in ([ids]) and r.remove_at is null
  and exists (select 1 from {event} e where e.id = r.row_id[same failure]))";
// Query for the number of rows that the previous statement has changed.
constexpr const char* kChanged = "select cast(changes() as text)";

}  // namespace

const sql::Dialect& Dialect() {
  static const sql::Dialect kDialect = [] {
    sql::Dialect d;
    d.server = "SQLite";
    d.integer = "integer";
    d.begin = "begin immediate";
    d.now = kNow;
    d.later = std::string(kNow) + " + cast(:ms as integer)";
    d.left = "(r.expires - t.at)";
    d.stamp = kPeoplesNow;
    d.shown = [](const std::string& moment) { return "(" + moment + ") * 1000"; };
    d.time = MicrosOf;
    d.same_failure = " and (r.event_id is null or r.event_id = ifnull(cast(e.event_id as text), ''))";
    d.behind = "r.aggregate_id = cast(e.aggregate_id as text) and r.row_id < e.id";
    // The estimate is computed with real numbers, because ids may lie at both ends of the range of integers.
    d.estimate = "(select cast(cast(max(id) as real) - min(id) + 1 as integer) from {event})";
    d.bytes = [](const std::string& column) {
      return "case when " + column + " is not null then hex(" + column + ") end";
    };
    d.text_of = [](const std::string& column) { return "cast(" + column + " as text)"; };
    d.shown_id = "cast(e.event_id as text)";
    d.same_event = "e.event_id = cast(:event as text)";
    d.same_key = [](const std::string& column) { return "cast(" + column + " as text) = cast(:key as text)"; };
    // The list contains the number of shards in the place of the shard. SQL cannot compute the shard of a row in
    // SQLite, so Adapter::List computes the shard from this number.
    d.shard = "m.shards";
    d.payload = d.bytes("e.payload");
    d.payload_size = "length(cast(e.payload as blob))";
    d.requeue = {{kRequeue, kChanged, kDropDead}, 1};
    d.discard = {{kDropDead, kChanged}, 1};
    d.discard_blocked = {{kDropBlocked, kChanged, kSettle}, 1};
    d.retry_now = {{kRetryNow, kChanged}, 1};
    return d;
  }();
  return kDialect;
}

}  // namespace outbox::sqlite
