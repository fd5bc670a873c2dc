// What an operator asks for, and the tests.
#include <algorithm>

#include "postgres/adapter.hpp"
#include "postgres/check.hpp"
#include "postgres/errors.hpp"
#include "postgres/schema.hpp"
#include "sql/fill.hpp"

namespace outbox::postgres {
namespace {

constexpr long long kCountedExactly = 100'000;

constexpr const char* kStats = R"(
select cast((select count(*) from (select 1 from {event} limit [limit]) l) as text),
  cast((select cast(reltuples as bigint) from pg_class where oid = cast('{event}' as regclass)) as text),
  cast((select count(*) from {retry} r where r.next_try is not null
        and exists (select 1 from {event} e where e.id = r.row_id)) as text),
  cast((select count(*) from {retry} r where r.next_try is null
        and exists (select 1 from {event} e where e.id = r.row_id)) as text),
  cast((select count(*) from {dead}) as text),
  cast((select cast(extract(epoch from clock_timestamp() - created_at) * 1000 as bigint)
        from {event} order by id limit 1) as text))";

constexpr const char* kStateOf = R"(
with wanted as (select cast(:id as text) as id)
select cast(case when r.row_id is null then 1 when r.next_try is null then 3 else 2 end as text),
  cast(coalesce(r.attempts, 0) as text)
from wanted w join {event} e on cast(e.event_id as text) = w.id left join {retry} r on r.row_id = e.id
union all
select '4', cast(d.attempts as text) from wanted w join {dead} d on cast(d.event_id as text) = w.id)";

std::uint64_t Count(const sql::Value& value) { return static_cast<std::uint64_t>(sql::ToNumber(value)); }

}  // namespace

std::string Adapter::PrintSchema(const Config& config, const SchemaWish& wish) {
  return postgres::PrintSchema(config.tables, wish);
}

void Adapter::ApplySchema(const SchemaWish& wish) {
  try {
    postgres::ApplySchema(Db(), config_->tables, wish);
  } catch (const Error& error) {
    if (!IsDenied(error.sqlstate)) throw;
    throw Error(OUTBOX_BAD_CONFIG, std::string("PostgreSQL: ") + sql::kMayNotMigrate, error.sqlstate);
  }
}

std::vector<Finding> Adapter::CheckSchema() { return postgres::CheckSchema(Db(), config_->tables); }

Stats Adapter::ReadStats() {
  Wire& db = Db();
  const std::string sql = sql::Fill(kStats, {{"[limit]", std::to_string(kCountedExactly + 1)}});
  const sql::Row row = db.Run({config_->tables.In(sql), {}}).at(0);
  Stats stats;
  stats.backlog = Count(row[0]);
  stats.backlog_exact = stats.backlog <= kCountedExactly;
  if (!stats.backlog_exact && sql::ToNumber(row[1]) > kCountedExactly) stats.backlog = Count(row[1]);
  stats.retrying = Count(row[2]);
  stats.blocked = Count(row[3]);
  stats.dead = Count(row[4]);
  if (row[5]) stats.oldest_age = Millis(std::max(0LL, sql::ToNumber(row[5])));
  config_->leases.Read(db, stats);
  return stats;
}

void Adapter::Reset() {
  Wire& db = Db();
  if (db.InTransaction()) db.Script("rollback");
  db.Script(
      config_->tables.In("delete from {event}; delete from {retry}; delete from {dead}; delete from {relay};"
                         " update {shard} set owner = null, state = 'free', lost = 0, suspect = null"));
}

void Adapter::ExpireLeases() {
  Db().Script(config_->tables.In("update {relay} set expires = clock_timestamp() - interval '1 second'"));
}

void Adapter::MakeRetriesDue() {
  Db().Script(config_->tables.In("update {retry} set next_try = clock_timestamp() where next_try is not null"));
}

TestState Adapter::StateOf(std::string_view event_id) {
  const sql::Rows rows = Ordinary().Run({config_->tables.In(kStateOf), {std::string(event_id)}});
  if (rows.empty()) return {};
  return {static_cast<std::int32_t>(sql::ToNumber(rows[0][0])), static_cast<std::uint32_t>(sql::ToNumber(rows[0][1]))};
}

}  // namespace outbox::postgres
