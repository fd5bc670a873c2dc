#include "sqlite/schema.hpp"

#include "sql/migration.hpp"
#include "sql/questions.hpp"
#include "sql/sql_template.hpp"
#include "sqlite/capture.hpp"
#include "sqlite/dialect.hpp"

namespace outbox::sqlite {
namespace {

constexpr sql::SchemaDialect kDialect{"alter table [table] add column [column]",
                                      "create index [index] on [table] [columns]", "drop index [index]"};
// The statements for a script, which cannot check which tables and indexes exist.
constexpr sql::SchemaDialect kIfNeeded{"", "create index if not exists [index] on [table] [columns]", ""};

constexpr std::string_view kPayloads[] = {"blob", "text", "bytea"};

constexpr sql::MigrationDialect kMigration{
    .changes = kDialect,
    .payloads = kPayloads,
    .other_payload = "SQLite stores every payload unchanged; omit the payload type '[payload]'",
    .is_id = IsId,
    .first_meta =
        "insert into {meta} (only_row, version, shards, outbox) values (1, [version], [shards], '[name]')"
        " on conflict (only_row) do nothing",
    .add_shards = R"(insert into {shard} (shard)
  with recursive n (i) as (select 0 union all select i + 1 from n where i + 1 < (select shards from {meta}))
  select i from n where true on conflict (shard) do nothing)",
    .other_owner = "outbox is not '[name]'",
};

// Columns of the kinds kDue and kExpiry are compared with the time, so they are numbers: milliseconds since 1970.
using K = sql::ColumnKind;
constexpr std::pair<K, std::string_view> kTypes[] = {
    {K::kNewId, "integer primary key autoincrement"},
    {K::kNewEventId,
     "text not null default (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' ||"
     " substr(hex(randomblob(2)), 2) || '-' || substr('89ab', 1 + (random() & 3), 1) ||"
     " substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))))"},
    {K::kCreated, "text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))"},
    {K::kPayload, "blob"},
    {K::kTime, "text not null"},
    {K::kExpiry, "integer not null"},
    {K::kDue, "integer"},
    {K::kBigNumber, "integer"},
    {K::kNumber, "integer"},
    {K::kOnlyRow, "integer primary key check (only_row = 1)"},
};

}  // namespace

sql::Statement AskCatalogue(const sql::Tables&, const std::vector<std::string>& names) {
  constexpr const char* kSql = R"(
select cast(m.name as text), 'table', cast(m.type as text), null from main.sqlite_master m where [ours]
union all select cast(m.name as text), 'column', cast(c.name as text), lower(cast(c.type as text))
from main.sqlite_master m join pragma_table_info(m.name, 'main') c where [ours]
union all select cast(m.name as text), 'index', cast(i.name as text), null
from main.sqlite_master m join pragma_index_list(m.name, 'main') i where [ours])";
  const std::string ours = "m.name collate nocase in (" + sql::InQuotes(names) + ") and m.type in ('table', 'view')";
  return {sql::Fill(kSql, {{"[ours]", ours}}), {}};
}

std::vector<sql::Table> Wanted(const sql::Tables& t) {
  std::vector<sql::Table> tables = sql::OutboxTables(t, {kTypes});
  sql::Table& retry = tables[sql::kRetry];
  // event_id is NULL if the failure was recorded by version 1.
  sql::ColumnOf(retry, "event_id") = {"event_id", "text", 2};
  retry.indexes = {{retry.name + "_key", "(aggregate_id, row_id)"},
                   {retry.name + "_due", "(next_try)"},
                   {retry.name + "_remove", "(remove_at) where remove_at is not null"}};
  return tables;
}

std::vector<sql::Table> WantedWithCopies(const sql::Tables& t) {
  std::vector<sql::Table> tables = Wanted(t);
  // A column that is declared as a blob has no affinity, so SQLite does not convert its values.
  sql::AddCopies(tables, t, [](const std::string&) { return "blob"; });
  return tables;
}

namespace {

// Returns the statements that add columns to the tables of an earlier version, or of a capture with another list of
// columns. They are printed as comments, because a script for SQLite has no conditions and cannot check which columns
// are missing.
std::string UpgradeScript(const sql::Tables& t) {
  std::string sql;
  for (const sql::Table& table : WantedWithCopies(t))
    if (table.kind != "event" || t.captured)
      for (const sql::Step& step : sql::UpgradeFromVersion1(t, table, kDialect))
        if (step.kind == sql::Step::Kind::kAddColumn) sql += "--   " + sql::Script(step.sql);
  return sql;
}

}  // namespace

std::string PrintSchema(const sql::Tables& t, const SchemaOptions& options) {
  if (options.remove_capture) {
    sql::RequireCaptured(t);
    return EndCaptureSql(t) + "\n";
  }
  sql::CheckOptions(kMigration, options);
  // These statements are not passed through Filled(), because the name of a column may look like a placeholder.
  std::vector<std::string> tables{"pragma journal_mode = wal", "begin immediate"};
  for (const sql::Table& table : WantedWithCopies(t)) {
    tables.push_back(sql::CreateTable(t, table, kIfNeeded));
    for (std::string& index : sql::CreateIndexes(t, table, kIfNeeded)) tables.push_back(std::move(index));
  }
  std::vector<std::string> rows = sql::PrintedRows(kMigration, options);
  rows.push_back(sql::RecordVersion(kMigration));
  std::vector<std::string> end = t.captured ? TriggerSql(t) : std::vector<std::string>();
  end.emplace_back("commit");
  return std::string("-- This script cannot check what exists. To upgrade tables of version 1") +
         (t.captured ? ", and to add columns that are new in the list" : "") + ", first run:\n" + UpgradeScript(t) +
         sql::Script(tables) + sql::Filled(t, options, sql::Script(rows)) + sql::Script(end);
}

namespace {

class Migration final : public sql::Migration {
 public:
  Migration(Connection& connection, const sql::Tables& t, const SchemaOptions& options)
      : sql::Migration(connection, t, options, kCatalogue, Dialect(), kMigration), connection_(connection) {}

 private:
  std::vector<sql::Table> Wanted(const sql::FoundTables&) override { return WantedWithCopies(t_); }
  std::vector<sql::Step> After(const Existing&) override {
    if (!t_.captured) return {};
    const std::string plan = PlanTrigger(connection_, t_);
    return plan.empty() ? std::vector<sql::Step>() : std::vector<sql::Step>{{plan, TriggerSql(t_)}};
  }
  void Change(const std::vector<std::string>& together) override { connection_.Script(sql::Script(together)); }

  Connection& connection_;
};

}  // namespace

std::vector<std::string> PlanSchema(Connection& connection, const sql::Tables& t, const SchemaOptions& options) {
  if (options.remove_capture) {
    sql::RequireCaptured(t);
    return {"drop the trigger on " + t.captured->table};
  }
  if (t.captured) RequireColumns(connection, t);
  return Migration(connection, t, options).Plan();
}

// Applies the schema. SQLite has one write lock and no queue for it, so no other connection has to wait because this
// call waits for the lock.
void ApplySchema(Connection& connection, const sql::Tables& t, const SchemaOptions& options) {
  if (options.remove_capture) {
    sql::RequireCaptured(t);
    return connection.Script(EndCaptureSql(t));
  }
  if (t.captured) RequireColumns(connection, t);
  connection.Script("pragma journal_mode = wal");
  Transaction transaction(connection);
  Migration(connection, t, options).Apply();
  transaction.Commit();
}

}  // namespace outbox::sqlite
