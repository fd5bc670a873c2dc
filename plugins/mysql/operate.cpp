// What an operator asks for, and the tests.
#include <algorithm>

#include "mysql/adapter.hpp"
#include "mysql/check.hpp"
#include "mysql/errors.hpp"
#include "mysql/schema.hpp"
#include "sql/fill.hpp"

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

constexpr const char* kStateOf = R"(
select case when r.row_id is null then 1 when r.next_try is null then 3 else 2 end, coalesce(r.attempts, 0)
from {event} e left join {retry} r on r.row_id = e.id where e.event_id = :id
union all
select 4, d.attempts from {dead} d where d.event_id = :again)";

std::uint64_t Count(const sql::Value& value) { return static_cast<std::uint64_t>(sql::ToNumber(value)); }

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

void Adapter::Reset() {
  Wire& db = Db();
  if (db.InTransaction()) db.Execute("rollback");
  std::vector<sql::Statement> steps;
  for (const char* sql : {"delete from {event}", "delete from {retry}", "delete from {dead}", "delete from {relay}",
                          "update {shard} set owner = null, state = 'free', lost = 0, suspect = null"})
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
