// What an operator asks for, and the tests.
#include <algorithm>

#include "sql/fill.hpp"
#include "sqlite/adapter.hpp"
#include "sqlite/schema.hpp"
#include "sqlite/time.hpp"

namespace outbox::sqlite {
namespace {

constexpr long long kCountedExactly = 100'000;

constexpr const char* kStats = R"(
select cast((select count(*) from (select 1 from {event} limit [limit])) as text),
  cast((select max(id) - min(id) + 1 from {event}) as text),
  cast((select count(*) from {retry} r where r.next_try is not null
        and exists (select 1 from {event} e where e.id = r.row_id)) as text),
  cast((select count(*) from {retry} r where r.next_try is null
        and exists (select 1 from {event} e where e.id = r.row_id)) as text),
  cast((select count(*) from {dead}) as text), cast([now] as text))";

constexpr const char* kStateOf = R"(
with wanted as (select :id as id)
select cast(case when r.row_id is null then 1 when r.next_try is null then 3 else 2 end as text),
  cast(coalesce(r.attempts, 0) as text)
from wanted w join {event} e on e.event_id = w.id left join {retry} r on r.row_id = e.id
union all
select '4', cast(d.attempts as text) from wanted w join {dead} d on d.event_id = w.id)";

std::uint64_t Count(const sql::Value& value) { return static_cast<std::uint64_t>(sql::ToNumber(value)); }

}  // namespace

std::string Adapter::PrintSchema(const Config& config, const SchemaWish& wish) {
  return sqlite::PrintSchema(config.tables, wish);
}

void Adapter::ApplySchema(const SchemaWish& wish) { sqlite::ApplySchema(Db(true), config_->tables, wish); }

std::vector<Finding> Adapter::CheckSchema() { return sqlite::CheckSchema(Db(), config_->tables, config_->path); }

Stats Adapter::ReadStats() {
  Connection& db = Db();
  const auto& t = config_->tables;
  const Transaction snapshot(db, "begin");
  const std::string limit = std::to_string(kCountedExactly + 1);
  const sql::Row row = db.Run({t.In(sql::Fill(kStats, {{"[limit]", limit}, {"[now]", kNow}})), {}}).at(0);
  Stats stats;
  stats.backlog_exact = sql::ToNumber(row[0]) <= kCountedExactly;
  stats.backlog = Count(row[stats.backlog_exact ? 0 : 1]);
  stats.retrying = Count(row[2]);
  stats.blocked = Count(row[3]);
  stats.dead = Count(row[4]);
  Prepared oldest(db, t.In("select created_at from {event} order by id limit 1"));
  if (oldest.Step())
    stats.oldest_age = Millis(std::max<std::int64_t>(0, sql::ToNumber(row[5]) - ToMicros(oldest, 0) / 1000));
  config_->leases.Read(db, stats);
  return stats;
}

void Adapter::Reset() {
  Connection& db = Db();
  db.RollBack();
  Transaction transaction(db);
  db.Script(
      config_->tables.In("delete from {event}; delete from {retry}; delete from {dead}; delete from {relay};"
                         " update {shard} set owner = null, state = 'free', lost = 0, suspect = null"));
  transaction.Commit();
}

void Adapter::ExpireLeases() { Db().Script(config_->tables.In("update {relay} set expires = 0")); }

void Adapter::MakeRetriesDue() {
  Db().Script(config_->tables.In("update {retry} set next_try = 0 where next_try is not null"));
}

TestState Adapter::StateOf(std::string_view event_id) {
  const sql::Rows rows = Db().Run({config_->tables.In(kStateOf), {std::string(event_id)}});
  if (rows.empty()) return {};
  return {static_cast<std::int32_t>(sql::ToNumber(rows[0][0])), static_cast<std::uint32_t>(sql::ToNumber(rows[0][1]))};
}

}  // namespace outbox::sqlite
