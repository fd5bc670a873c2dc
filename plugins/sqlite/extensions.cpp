// What an operator asks for, and the tests.
#include "sql/counts.hpp"
#include "sqlite/adapter.hpp"
#include "sqlite/schema.hpp"
#include "sqlite/time.hpp"

namespace outbox::sqlite {
namespace {

constexpr const char* kStateOf = R"(
with wanted as (select :id as id)
select cast(case when r.row_id is null then 1 when r.remove_at is not null then 5 when r.next_try is null then 3 else 2 end as text),
  cast(coalesce(r.attempts, 0) as text)
from wanted w join {event} e on e.event_id = w.id left join {retry} r on r.row_id = e.id
  and (r.event_id is null or r.event_id = w.id)
union all
select '4', cast(d.attempts as text) from wanted w join {dead} d on d.event_id = w.id)";

sql::CountDialect Dialect() {
  sql::CountDialect d;
  d.same_failure = " and (r.event_id is null or r.event_id = ifnull(cast(e.event_id as text), ''))";
  d.text = "text";
  d.time = MicrosOf;
  d.now = std::string("(") + kNow + ") * 1000";
  d.behind = "r.aggregate_id = cast(e.aggregate_id as text) and r.row_id < e.id";
  // As real numbers: ids may lie at both ends of their type.
  d.estimate = "(select cast(cast(max(id) as real) - min(id) + 1 as integer) from {event})";
  return d;
}

}  // namespace

std::string Adapter::PrintSchema(const Config& config, const SchemaOptions& options) {
  return sqlite::PrintSchema(config.tables, options);
}

void Adapter::ApplySchema(const SchemaOptions& options) {
  own_ = false;
  sqlite::ApplySchema(Db(true), config_->tables, options);
}

std::vector<std::string> Adapter::PlanSchema(const SchemaOptions& options) {
  return sqlite::PlanSchema(Db(true), config_->tables, options);
}

std::vector<Finding> Adapter::CheckSchema() { return sqlite::CheckSchema(Db(), config_->tables, config_->path); }

Statistics Adapter::ReadStats() {
  static const sql::CountDialect kDialect = Dialect();
  Connection& db = OwnDb(sql::Access::kReads);
  LookForHiddenRows(db);
  const Transaction snapshot(db, "begin");
  Statistics stats;
  sql::ReadCounts(db, config_->tables, kDialect, stats);
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
  Db().Script(
      config_->tables.In("update {retry} set next_try = 0 where next_try is not null;"
                         " update {retry} set remove_at = 0 where remove_at is not null"));
}

TestState Adapter::StateOf(std::string_view event_id) {
  const sql::Rows rows = Db().Run({config_->tables.In(kStateOf), {std::string(event_id)}});
  if (rows.empty()) return {};
  return {static_cast<std::int32_t>(sql::ToNumber(rows[0][0])), static_cast<std::uint32_t>(sql::ToNumber(rows[0][1]))};
}

}  // namespace outbox::sqlite
