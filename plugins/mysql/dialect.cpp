#include "mysql/dialect.hpp"

namespace outbox::mysql {
namespace {

// Locks the dead letters before they are requeued or discarded. If two calls name the same dead letters, the second
// call finds none.
constexpr const char* kLockDead = "select row_id from {dead} where row_id in ([ids]) order by row_id for update";
constexpr const char* kRequeue = R"(
insert into {event} (event_id, topic, aggregate_id, event_type, payload, headers{copies})
select event_id, topic, aggregate_id, event_type, [payload], headers{copies} from {dead} where row_id in ([ids]) order by row_id)";
constexpr const char* kDropDead = "delete from {dead} where row_id in ([ids])";

// Deletes blocked events. The join goes from the failures to the outbox, row by row, for the reason that JoinedByRow()
// gives.
constexpr const char* kDropBlocked = R"(
delete r, e from {retry} r straight_join {event} e force index (primary) on e.id = r.row_id and e.event_id = r.event_id
where r.row_id in ([ids]) and r.next_try is null and r.remove_at is null)";
constexpr const char* kRetryNow = R"(
update {retry} r straight_join {event} e force index (primary) on e.id = r.row_id and e.event_id = r.event_id
set r.next_try = sysdate(6), r.attempts = 1 where r.row_id in ([ids]) and r.remove_at is null)";

// Queries for the number of rows that the previous statement has changed in one table, or in each of two tables.
constexpr const char* kChanged = "select row_count()";
constexpr const char* kChangedInBoth = "select row_count() div 2";

}  // namespace

const sql::Dialect& Dialect() {
  static const sql::Dialect kDialect = [] {
    const auto as_it_is = [](const std::string& expression) { return expression; };
    sql::Dialect d;
    d.server = "MySQL";
    d.text = "char";
    d.integer = "signed";
    d.div = "div";
    d.begin = "start transaction";
    d.lock = " for update";
    d.max_reason = 255;
    d.now = d.stamp = "sysdate(6)";
    d.later = "date_add(sysdate(6), interval cast(:ms as signed) * 1000 microsecond)";
    d.left = "timestampdiff(microsecond, t.at, r.expires) div 1000";
    d.shown = d.time = as_it_is;
    d.same_failure = " and r.event_id = e.event_id";
    d.behind =
        "r.key_hash = crc32(convert(e.aggregate_id using utf8mb4)) and r.row_id < e.id and r.aggregate_id = "
        "e.aggregate_id";
    // The estimate is computed with decimals, because ids may lie at both ends of the range of their type.
    d.estimate = "(select least(cast(max(id) as decimal(30)) - min(id) + 1, 9223372036854775807) from {event})";
    d.bytes = d.text_of = as_it_is;
    d.hex = false;
    d.shown_id = "e.event_id";
    // The event id is not cast, because a literal takes the collation of the column.
    d.same_event = "e.event_id = :event";
    // Keys are compared as bytes, because comparisons of text columns ignore trailing spaces, and may ignore case.
    d.same_key = [](const std::string& column) {
      return "cast(convert(" + column + " using utf8mb4) as binary) = cast(:key as binary)";
    };
    d.shard = "mod(crc32(coalesce(cast(e.aggregate_id as binary), cast(e.id as binary))), m.shards)";
    d.payload = "e.payload";
    d.payload_size = "octet_length(e.payload)";
    d.requeue = {{kLockDead, kRequeue, kDropDead, kChanged}, 3};
    d.discard = {{kLockDead, kDropDead, kChanged}, 2};
    d.discard_blocked = {{kDropBlocked, kChangedInBoth}, 1};
    d.retry_now = {{kRetryNow, kChanged}, 1};
    return d;
  }();
  return kDialect;
}

}  // namespace outbox::mysql
