// outbox.admin/1 on SQLite.
#include "sql/event_listing.hpp"
#include "sql/row_id.hpp"
#include "sql/sql_template.hpp"
#include "sqlite/adapter.hpp"
#include "sqlite/time.hpp"

namespace outbox::sqlite {
namespace {

constexpr const char* kRequeue = R"(
insert into {event} (event_id, topic, aggregate_id, event_type, payload, headers)
select event_id, topic, aggregate_id, event_type, payload, headers from {dead} where row_id = ?1)";
constexpr const char* kDropDead = "delete from {dead} where row_id = ?1";
constexpr const char* kDropBlocked = R"(
delete from {event} where id = ?1 and exists (select 1 from {retry} where row_id = ?1 and next_try is null and remove_at is null))";
constexpr const char* kSettle = "delete from {retry} where row_id = ?1 and next_try is null and remove_at is null";
constexpr const char* kRetryNow = R"(
update {retry} set next_try = [now], attempts = 1
where row_id = ?1 and remove_at is null and exists (select 1 from {event} where id = ?1))";

sql::RecordDialect Dialect() {
  sql::RecordDialect d;
  d.same_failure = " and (r.event_id is null or r.event_id = ifnull(cast(e.event_id as text), ''))";
  d.integer = "integer";
  d.text = "text";
  d.bytes = [](const std::string& column) {
    return "case when " + column + " is not null then hex(" + column + ") end";
  };
  d.text_of = [](const std::string& column) { return "cast(" + column + " as text)"; };
  d.time = MicrosOf;
  d.now = std::string("(") + kNow + ") * 1000";
  d.next_try = "coalesce(r.remove_at, r.next_try) * 1000";
  d.event_id = "cast(e.event_id as text)";
  d.same_event = "e.event_id = cast(:event as text)";
  d.same_key = [](const std::string& column) { return "cast(" + column + " as text) = cast(:key as text)"; };
  d.shard = "m.shards";  // how many: which of them, SQL cannot tell here
  d.payload = d.bytes("e.payload");
  d.payload_size = "length(cast(e.payload as blob))";
  return d;
}

}  // namespace

void Adapter::List(const Query& query, const Found& found) {
  static const sql::RecordDialect kDialect = Dialect();
  Connection& db = OwnDb(sql::Access::kReads);
  LookForHiddenRows(db);
  sql::ListRecords(db, config_->tables, kDialect, query, [&found](Record& record) {
    if (record.shard > 0) record.shard = ShardOf(record.event.row_id, record.event.aggregate_id, record.shard);
    return found(record);
  });
}

std::uint64_t Adapter::Requeue(RowIds rows) { return Change(rows, {kRequeue, kDropDead}); }

std::uint64_t Adapter::Discard(RowIds rows) { return Change(rows, {kDropDead}); }

std::uint64_t Adapter::DiscardBlocked(RowIds rows) { return Change(rows, {kDropBlocked, kSettle}); }

std::uint64_t Adapter::RetryNow(RowIds rows) { return Change(rows, {kRetryNow}); }

std::uint64_t Adapter::Change(RowIds rows, std::initializer_list<const char*> steps) {
  Connection& db = OwnDb();
  std::vector<Prepared> prepared;
  for (const char* step : steps) prepared.emplace_back(db, config_->tables.In(sql::Fill(step, {{"[now]", kNow}})));
  std::uint64_t changed = 0;
  Transaction transaction(db);
  for (const std::string_view row : rows) {
    const auto id = sql::ParseId(row);
    if (!id) continue;
    prepared.front().Bind(*id).Execute();
    changed += static_cast<std::uint64_t>(sqlite3_changes(db.raw()));
    for (std::size_t i = 1; i < prepared.size(); ++i) prepared[i].Bind(*id).Execute();
  }
  transaction.Commit();
  return changed;
}

}  // namespace outbox::sqlite
