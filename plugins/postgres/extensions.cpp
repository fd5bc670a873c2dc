// What an operator asks for, and the tests.
#include "postgres/adapter.hpp"
#include "postgres/check.hpp"
#include "postgres/errors.hpp"
#include "postgres/role_settings.hpp"
#include "postgres/schema.hpp"
#include "sql/counts.hpp"
#include "sql/outbox_table.hpp"

namespace outbox::postgres {
namespace {

constexpr const char* kStateOf = R"(
with wanted as (select cast(:id as text) as id)
select cast(case when r.row_id is null then 1 when r.remove_at is not null then 5 when r.next_try is null then 3 else 2 end as text),
  cast(coalesce(r.attempts, 0) as text)
from wanted w join {event} e on cast(e.event_id as text) = w.id left join {retry} r on r.row_id = e.id and r.event_id = e.event_id
union all
select '4', cast(d.attempts as text) from wanted w join {dead} d on cast(d.event_id as text) = w.id)";

sql::CountDialect Dialect() {
  sql::CountDialect d;
  d.text = "text";
  d.time = MicrosOf;
  d.now = d.time("clock_timestamp()");
  d.same_failure = " and r.event_id = e.event_id";
  d.behind =
      "hashtext(r.aggregate_id) = hashtext(e.aggregate_id) and r.row_id + 0 < e.id and r.aggregate_id = e.aggregate_id";
  d.estimate = "(select cast(reltuples as bigint) from pg_class where oid = cast('{event}' as regclass))";
  return d;
}

}  // namespace

std::string Adapter::PrintSchema(const Config& config, const SchemaOptions& options) {
  return postgres::PrintSchema(config.tables, options);
}

void Adapter::ApplySchema(const SchemaOptions& options) {
  try {
    own_ = false;
    Client& db = Borrowed();
    RequireOutbox(db);
    postgres::ApplySchema(db, config_->tables, options, call().timeout);
  } catch (const Error& error) {
    if (!IsDenied(error.sqlstate)) throw;
    throw Error(OUTBOX_BAD_CONFIG, std::string("PostgreSQL: ") + sql::kMayNotMigrate, error.sqlstate);
  }
}

void Adapter::RequireOutbox(Client& db) {
  const auto& t = config_->tables;
  RequireSchema(db, t);
  sql::RequireOutbox(
      t.event,
      db.Run({"select cast(attname as text), format_type(atttypid, null) from pg_attribute where attrelid ="
              " cast(to_regclass(cast(:table as text)) as oid) and attnum > 0 and not attisdropped",
              {t.event}}),
      Wanted(t, "text").front().columns, [](const std::string& type) { return type == "bigint" || type == "integer"; });
}

std::vector<std::string> Adapter::PlanSchema(const SchemaOptions& options) {
  Client& db = Borrowed();
  RequireOutbox(db);
  return postgres::PlanSchema(db, config_->tables, options);
}

std::vector<Finding> Adapter::CheckSchema() {
  return postgres::CheckSchema(Borrowed(), config_->tables, connection_, call().timeout);
}

Statistics Adapter::ReadStats() {
  static const sql::CountDialect kDialect = Dialect();
  Client& db = Borrowed();
  RequireOwn(db, sql::Access::kReads);
  LookForHiddenRows(db);
  Statistics stats;
  sql::ReadCounts(db, config_->tables, kDialect, stats);
  config_->leases.Read(db, stats);
  return stats;
}

void Adapter::Reset() {
  Client& db = Borrowed();
  if (db.InTransaction()) db.Script("rollback");
  db.Script(
      config_->tables.In("delete from {event}; delete from {retry}; delete from {dead}; delete from {relay};"
                         " update {shard} set owner = null, state = 'free', lost = 0, suspect = null"));
}

void Adapter::ExpireLeases() {
  Borrowed().Script(config_->tables.In("update {relay} set expires = clock_timestamp() - interval '1 second'"));
}

void Adapter::MakeRetriesDue() {
  Borrowed().Script(
      config_->tables.In("update {retry} set next_try = case when remove_at is null then clock_timestamp() end,"
                         " remove_at = case when remove_at is not null then clock_timestamp() end"
                         " where next_try is not null or remove_at is not null"));
}

TestState Adapter::StateOf(std::string_view event_id) {
  const sql::Rows rows = Borrowed().Run({config_->tables.In(kStateOf), {std::string(event_id)}});
  if (rows.empty()) return {};
  return {static_cast<std::int32_t>(sql::ToNumber(rows[0][0])), static_cast<std::uint32_t>(sql::ToNumber(rows[0][1]))};
}

}  // namespace outbox::postgres
