// What an operator asks for, and the tests.
#include "mysql/adapter.hpp"
#include "mysql/check.hpp"
#include "mysql/errors.hpp"
#include "mysql/schema.hpp"
#include "sql/counts.hpp"
#include "sql/outbox_table.hpp"

namespace outbox::mysql {
namespace {

constexpr const char* kStateOf = R"(
select case when r.row_id is null then 1 when r.remove_at is not null then 5 when r.next_try is null then 3 else 2 end, coalesce(r.attempts, 0)
from {event} e left join {retry} r on r.row_id = e.id and r.event_id = e.event_id where e.event_id = :id
union all
select 4, d.attempts from {dead} d where d.event_id = :again)";

sql::CountDialect Dialect() {
  sql::CountDialect d;
  d.text = "char";
  d.now = "sysdate(6)";
  d.time = [](const std::string& column) { return column; };
  d.same_failure = " and r.event_id = e.event_id";
  d.behind =
      "r.key_hash = crc32(convert(e.aggregate_id using utf8mb4)) and r.row_id < e.id and r.aggregate_id = "
      "e.aggregate_id";
  // Ids may lie at both ends of their type.
  d.estimate = "(select least(cast(max(id) as decimal(30)) - min(id) + 1, 9223372036854775807) from {event})";
  return d;
}

}  // namespace

std::string Adapter::PrintSchema(const Config& config, const SchemaOptions& options) {
  return mysql::PrintSchema(config.tables, options);
}

void Adapter::ApplySchema(const SchemaOptions& options) {
  try {
    own_ = false;
    Client& db = Db();
    RequireOutbox(db);
    mysql::ApplySchema(db, config_->tables, options, call().timeout);
  } catch (const Error& error) {
    if (!IsDenied(static_cast<unsigned>(error.native_code))) throw;
    throw Error(OUTBOX_BAD_CONFIG, std::string("MySQL: ") + sql::kMayNotMigrate, error.sqlstate, error.native_code);
  }
}

void Adapter::RequireOutbox(Client& db) {
  const auto& t = config_->tables;
  sql::RequireOutbox(t.event,
                     db.Run({"select column_name, data_type from information_schema.columns where table_schema ="
                             " coalesce(nullif(:schema, ''), database()) and table_name = :table",
                             {t.schema, t.event_name}}),
                     Wanted(t).front().columns, [](const std::string& type) { return type.ends_with("int"); });
}

std::vector<std::string> Adapter::PlanSchema(const SchemaOptions& options) {
  Client& db = Db();
  RequireOutbox(db);
  return mysql::PlanSchema(db, config_->tables, options);
}

std::vector<Finding> Adapter::CheckSchema() { return mysql::CheckSchema(Db(), config_->tables); }

Statistics Adapter::ReadStats() {
  static const sql::CountDialect kDialect = Dialect();
  Client& db = OwnDb(sql::Access::kReads);
  LookForHiddenRows(db);
  Statistics stats;
  sql::ReadCounts(db, config_->tables, kDialect, stats);
  config_->leases.Read(db, stats);
  return stats;
}

void Adapter::Reset() {
  Client& db = Db();
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
  Db().Execute(
      config_->tables.In("update {retry} set next_try = if(remove_at is null, sysdate(6), null),"
                         " remove_at = if(remove_at is null, null, sysdate(6))"
                         " where next_try is not null or remove_at is not null"));
}

TestState Adapter::StateOf(std::string_view event_id) {
  const std::string id(event_id);
  const sql::Rows rows = Db().Run({config_->tables.In(kStateOf), {id, id}});
  if (rows.empty()) return {};
  return {static_cast<std::int32_t>(sql::ToNumber(rows[0][0])), static_cast<std::uint32_t>(sql::ToNumber(rows[0][1]))};
}

}  // namespace outbox::mysql
