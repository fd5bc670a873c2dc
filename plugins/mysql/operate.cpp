// What an operator asks for, and the tests.
#include <algorithm>

#include "mysql/adapter.hpp"
#include "mysql/check.hpp"
#include "mysql/errors.hpp"
#include "mysql/list.hpp"
#include "mysql/schema.hpp"
#include "sql/fill.hpp"
#include "sql/text.hpp"

namespace outbox::mysql {
namespace {

constexpr long long kCountedExactly = 100'000;

constexpr const char* kStats = R"(
select (select count(*) from (select 1 from {event} limit [limit]) l),
  (select max(id) - min(id) + 1 from {event}),
  (select count(*) from {retry} r where r.next_try is not null and exists (select 1 from {event} e where e.id = r.row_id)),
  (select count(*) from {retry} r where r.next_try is null and exists (select 1 from {event} e where e.id = r.row_id)),
  (select count(*) from {dead}),
  (select timestampdiff(microsecond, created_at, sysdate(6)) div 1000 from {event} order by id limit 1))";

constexpr const char* kListDead = R"(
select 2, row_id, event_id, aggregate_id, event_type, topic, payload, headers, created_at, attempts
from {dead} where row_id > [after] order by row_id)";

// Locked first: of two that requeue the same, the second finds nothing.
constexpr const char* kLockDead = "select row_id from {dead} where row_id in ([ids]) for update";
constexpr const char* kRequeue = R"(
insert into {event} (event_id, topic, aggregate_id, event_type, payload, headers)
select event_id, topic, aggregate_id, event_type, [payload], headers from {dead} where row_id in ([ids]) order by row_id)";
constexpr const char* kDropDead = "delete from {dead} where row_id in ([ids])";

constexpr const char* kStateOf = R"(
select case when r.row_id is null then 1 when r.next_try is null then 3 else 2 end, coalesce(r.attempts, 0)
from {event} e left join {retry} r on r.row_id = e.id where e.event_id = :id
union all
select 4, d.attempts from {dead} d where d.event_id = :again)";

std::uint64_t Count(const sql::Value& value) { return static_cast<std::uint64_t>(sql::ToNumber(value)); }

// How many dead letters went; `requeue` or are dropped.
std::uint64_t TakeDead(Wire& db, const sql::Tables& t, const std::vector<long long>& ids, bool requeue) {
  if (ids.empty()) return 0;
  const std::string payload = requeue ? PayloadFromBlob(db, t) : "";
  const auto step = [&](const char* sql) -> sql::Statement {
    return {t.In(sql::Fill(sql, {{"[ids]", Listed(ids)}, {"[payload]", payload}})), {}};
  };
  std::vector<sql::Statement> steps{step(kLockDead)};
  if (requeue) steps.push_back(step(kRequeue));
  steps.push_back(step(kDropDead));
  return db.RunTogether(steps).front().size();
}

}  // namespace

std::string Adapter::PrintSchema(const Config& config, const SchemaWish& wish) {
  return mysql::PrintSchema(config.tables, wish);
}

void Adapter::ApplySchema(const SchemaWish& wish) {
  try {
    mysql::ApplySchema(Db(), config_->tables, wish);
  } catch (const Error& error) {
    if (!IsDenied(static_cast<unsigned>(error.native_code))) throw;
    throw Error(OUTBOX_BAD_CONFIG, std::string("MySQL: ") + sql::kMayNotMigrate, error.sqlstate, error.native_code);
  }
}

std::vector<Finding> Adapter::CheckSchema() { return mysql::CheckSchema(Db(), config_->tables); }

Stats Adapter::ReadStats() {
  Wire& db = Db();
  const std::string sql = sql::Fill(kStats, {{"[limit]", std::to_string(kCountedExactly + 1)}});
  const sql::Row row = db.Run({config_->tables.In(sql), {}}).at(0);
  Stats stats;
  stats.backlog_exact = sql::ToNumber(row[0]) <= kCountedExactly;
  stats.backlog = Count(row[stats.backlog_exact ? 0 : 1]);
  stats.retrying = Count(row[2]);
  stats.blocked = Count(row[3]);
  stats.dead = Count(row[4]);
  if (row[5]) stats.oldest_age = Millis(std::max(0LL, sql::ToNumber(row[5])));
  config_->leases.Read(db, stats);
  return stats;
}

void Adapter::ListDead(Bytes after, BatchBuilder& batch) {
  const long long from = after ? sql::ParseId(*after).value_or(0) : 0;
  Db().Read(config_->tables.In(sql::Fill(kListDead, {{"[after]", std::to_string(from)}})),
            [&batch](const Fetched& row) { return batch.Add(EventAt(row)); });
}

std::uint64_t Adapter::Requeue(RowIds rows) { return TakeDead(Db(), config_->tables, SortedIds(rows), true); }

std::uint64_t Adapter::Discard(RowIds rows) { return TakeDead(Db(), config_->tables, SortedIds(rows), false); }

void Adapter::Reset() {
  Wire& db = Db();
  if (db.InTransaction()) db.Execute("rollback");
  std::vector<sql::Statement> steps;
  for (const char* sql : {"delete from {event}", "delete from {retry}", "delete from {dead}", "delete from {relay}",
                          "update {shard} set owner = null, state = 'free'"})
    steps.push_back({config_->tables.In(sql), {}});
  (void)db.RunTogether(steps);
}

void Adapter::ExpireLeases() {
  Db().Execute(config_->tables.In("update {relay} set expires = sysdate(6) - interval 1 second"));
}

void Adapter::MakeRetriesDue() {
  Db().Execute(config_->tables.In("update {retry} set next_try = sysdate(6) where next_try is not null"));
}

TestState Adapter::StateOf(std::string_view event_id) {
  const std::string id(event_id);
  const sql::Rows rows = Db().Run({config_->tables.In(kStateOf), {id, id}});
  if (rows.empty()) return {};
  return {static_cast<std::int32_t>(sql::ToNumber(rows[0][0])), static_cast<std::uint32_t>(sql::ToNumber(rows[0][1]))};
}

}  // namespace outbox::mysql
