#include "sqlite/schema.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "sql/outbox_table.hpp"
#include "sql/questions.hpp"
#include "sql/schema.hpp"
#include "sql/sql_template.hpp"
#include "sqlite/others.hpp"
#include "sqlite/time.hpp"

namespace outbox::sqlite {
namespace {

constexpr std::uint32_t kMaxShards = 256;

constexpr sql::SchemaDialect kDialect{"alter table [table] add column [column]",
                                      "create index [index] on [table] [columns]", "drop index [index]"};
// For a script that does not know what is there.
constexpr sql::SchemaDialect kIfNeeded{"", "create index if not exists [index] on [table] [columns]", ""};

// first_failed, last_failed and died_at are for people; next_try and remove_at are compared: milliseconds since
// 1970. next_try NULL = blocked, or, where remove_at is not NULL, delivered: the database did not let the row go, and its
// removal is tried again then. event_id NULL = recorded by an older version.
std::vector<sql::Table> Wanted(const sql::Tables& t) {
  return {
      {t.event_name,
       {{"id", "integer primary key autoincrement"},
        {"event_id",
         "text not null default (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' ||"
         " substr(hex(randomblob(2)), 2) || '-' || substr('89ab', 1 + (random() & 3), 1) ||"
         " substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))))"},
        {"topic", "text not null"},
        {"aggregate_id", "text"},
        {"event_type", "text not null"},
        {"payload", "blob"},
        {"headers", "text"},
        {"created_at", "text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))"}}},
      {t.prefix + "_retry",
       {{"row_id", "integer primary key"},
        {"event_id", "text"},
        {"aggregate_id", "text"},
        {"attempts", "integer not null"},
        {"next_try", "integer"},
        {"remove_at", "integer"},
        {"first_failed", "text not null"},
        {"last_failed", "text not null"},
        {"reason", "text not null"},
        {"error", "text not null"}},
       "",
       {{t.prefix + "_retry_key", "(aggregate_id, row_id)"},
        {t.prefix + "_retry_due", "(next_try)"},
        {t.prefix + "_retry_remove", "(remove_at) where remove_at is not null"}}},
      {t.prefix + "_dead",
       {{"row_id", "integer primary key"},
        {"event_id", "text not null"},
        {"topic", "text not null"},
        {"aggregate_id", "text"},
        {"event_type", "text not null"},
        {"payload", "blob"},
        {"headers", "text"},
        {"created_at", "text"},
        {"attempts", "integer not null"},
        {"first_failed", "text not null"},
        {"died_at", "text not null"},
        {"reason", "text not null"},
        {"error", "text not null"}}},
      {t.prefix + "_relay", {{"relay_id", "text primary key"}, {"expires", "integer not null"}}},
      {t.prefix + "_shard",
       {{"shard", "integer primary key"},
        {"owner", "text"},
        {"token", "integer not null default 0"},
        {"state", "text not null default 'free'"},
        {"lost", "integer not null default 0"},
        {"suspect", "integer"},
        {"suspect_token", "integer"},
        {"suspect_owners", "integer not null default 0"}}},
      {t.prefix + "_meta",
       {{"only_row", "integer primary key check (only_row = 1)"},
        {"version", "integer not null"},
        {"shards", "integer not null"},
        {"outbox", "text"}}},
  };
}

constexpr const char* kMeta =
    "insert into {meta} (only_row, version, shards, outbox) values (1, [version], [shards], '[name]')"
    " on conflict (only_row) do nothing;\n";

// Last: a relay reads the version to see whether all of the upgrade is there.
constexpr const char* kVersion =
    "update {meta} set version = [version], outbox = '[name]' where version < [version] or outbox is not '[name]';\n";

std::string Filled(const sql::Tables& t, const std::string& sql, std::uint32_t shards) {
  return t.In(sql::Fill(sql, {{"[name]", t.event_name},
                              {"[version]", std::to_string(sql::kSchemaVersion)},
                              {"[shards]", std::to_string(std::max(1U, shards))}}));
}

sql::FoundTables Found(Connection& db, const std::vector<std::string>& names) {
  sql::FoundTables found;
  for (const std::string& name : names) {
    const sql::Rows type =
        db.Run({"select cast(type as text) from main.sqlite_master where type in ('table', 'view') and name = :name"
                " collate nocase",
                {name}});
    if (type.empty()) continue;
    sql::FoundTable& table = found[name];
    table.is_table = type[0][0] == "table";
    for (const sql::Row& row : db.Run({"select cast(name as text) from pragma_table_info(:name, 'main')", {name}}))
      table.columns.insert(row[0].value_or(""));
    for (const sql::Row& row : db.Run({"select cast(name as text) from pragma_index_list(:name, 'main')", {name}}))
      table.indexes.insert(row[0].value_or(""));
  }
  return found;
}

// Returns the row of the meta table; version 0 = there is none yet.
sql::Meta RequireFree(Connection& db, const sql::Tables& t, const sql::FoundTables& found) {
  const auto meta_table = found.find(t.prefix + "_meta");
  if (meta_table == found.end()) return {};
  const std::string outbox = meta_table->second.columns.contains("outbox") ? "outbox" : "null";
  const sql::Rows rows = db.Run(
      {t.In("select cast(version as text), cast(shards as text), cast(" + outbox + " as text) from {meta}"), {}});
  if (rows.empty()) return {};
  sql::Meta meta{sql::ToNumber(rows[0][0]), sql::ToNumber(rows[0][1]), rows[0][2]};
  sql::RequireKnownVersion(meta);
  std::vector<std::string> others;
  for (const auto& [name, table] : Found(db, sql::Rivals(t, meta.outbox, true)))
    if (sql::LooksLikeOutbox(table)) others.push_back(name);
  sql::RequireFree(t, meta, others, true);
  return meta;
}

// What an upgrade adds to the tables of an earlier version. SQLite's SQL has no way to ask first.
std::string UpgradeScript(const sql::Tables& t) {
  std::string sql;
  for (const sql::Table& table : Wanted(t)) {
    if (table.name == t.event_name) continue;
    sql::FoundTable original{true, {}, {table.obsolete_indexes.begin(), table.obsolete_indexes.end()}};
    for (const auto& [column, type] : table.columns)
      if (sql::IsOriginal(t, table, column)) original.columns.insert(column);
    for (const sql::Index& index : table.indexes) original.indexes.insert(index.name);
    for (const sql::Step& step : sql::Upgrade(t, table, original, kDialect)) sql += "--   " + step.sql + ";\n";
  }
  return sql;
}

// One row a shard, as many as the meta table says.
constexpr const char* kShards = R"(delete from {shard} where shard >= (select shards from {meta});
insert into {shard} (shard)
  with recursive n (i) as (select 0 union all select i + 1 from n where i + 1 < (select shards from {meta}))
  select i from n where true on conflict (shard) do nothing;
)";

// The rows change shards, so that no token of before may hold on.
std::string Reshard(const sql::Tables& t, std::uint32_t shards) {
  return t.In(
      sql::Fill("update {shard} set owner = null, state = 'free', token = token + 1;\n"
                "update {meta} set shards = [shards];\n",
                {{"[shards]", std::to_string(shards)}}));
}

void CheckOptions(const SchemaOptions& options) {
  const auto& payload = options.payload;
  if (!payload.empty() && payload != "blob" && payload != "text" && payload != "bytea")
    throw Error(OUTBOX_BAD_CONFIG,
                "SQLite stores every payload as it comes; leave the payload type '" + payload + "' out");
  if (options.shards > kMaxShards)
    throw Error(OUTBOX_BAD_CONFIG, "at most " + std::to_string(kMaxShards) + " shards are possible");
}

// The same table with ids that never come again. Ids of another type, such as uuids, have no order and are not taken over.
std::string Rebuild(const sql::Tables& t, const sql::Table& wanted, const sql::Rows& there) {
  const auto type_of = [&](const std::string& column) {
    const auto found = std::find_if(there.begin(), there.end(), [&](const sql::Row& row) { return row[0] == column; });
    return found == there.end() ? sql::Value() : found->at(1);
  };
  const bool numbers = type_of("id").value_or("integer").find("int") != std::string::npos;
  std::string into, from;
  const auto copy = [&](const std::string& target, const std::string& source) {
    into += (into.empty() ? "" : ", ") + target;
    from += (from.empty() ? "" : ", ") + source;
  };
  for (const auto& [name, type] : wanted.columns) {
    if (type_of(name) && (name != "id" || numbers)) copy(name, name);
    if (name == "event_id" && !type_of(name) && !numbers) copy(name, "id");
  }
  return t.In(
      sql::Fill("begin; " OUTBOX_EXPECT_ALL
                " alter table {event} rename to \"[name]_old\"; [create] delete from \"[name]_old\" where 0;"
                " insert into {event} ([into]) select [from] from \"[name]_old\" order by [order];"
                " insert or rollback into outbox_moved select changes() = (select count(*) from \"[name]_old\");"
                " drop table \"[name]_old\"; commit;"
                " -- columns, indexes and triggers of your own are not taken over",
                {{"[name]", t.event_name},
                 {"[create]", sql::CreateTable(t, wanted) + ";"},
                 {"[into]", into},
                 {"[from]", from},
                 {"[order]", numbers ? "id" : "rowid"}}));
}

}  // namespace

std::string PrintSchema(const sql::Tables& tables, const SchemaOptions& options) {
  CheckOptions(options);
  std::string sql = "-- To upgrade tables of version 1, which this script cannot ask for, first run:\n" +
                    UpgradeScript(tables) + "pragma journal_mode = wal;\nbegin immediate;\n";
  for (const sql::Table& table : Wanted(tables)) {
    sql += sql::CreateTable(tables, table) + ";\n";
    for (const std::string& index : sql::CreateIndexes(tables, table, kIfNeeded)) sql += index + ";\n";
  }
  sql += kMeta;
  if (options.shards > 0) sql += "-- Only while no relay runs:\n" + Reshard(tables, options.shards);
  return Filled(tables, sql + kShards + kVersion, options.shards) + "commit;\n";
}

void RequireAllRows(Connection& connection, const sql::Tables& tables) {
  sql::RequireNone(FindViews(connection, Wanted(tables)), "SQLite");
  sql::RequireNone(FindLowIds(connection, tables), "SQLite");
}

namespace {

std::vector<sql::Step> Steps(Connection& connection, const sql::Tables& t, const SchemaOptions& options,
                             sql::Meta& meta) {
  CheckOptions(options);
  const auto wanted = Wanted(t);
  sql::RequireOutbox(
      t.event,
      connection.Run(
          {"select cast(name as text), lower(cast(type as text)) from pragma_table_info(:name)", {t.event_name}}),
      wanted.front().columns, [](const std::string& type) { return type.find("int") != std::string::npos; });
  std::vector<std::string> names;
  names.reserve(wanted.size());
  for (const sql::Table& table : wanted) names.push_back(table.name);
  const sql::FoundTables found = Found(connection, names);
  sql::RequireCompanions(t, wanted, found);
  meta = RequireFree(connection, t, found);
  return sql::TableSteps(t, wanted, found, kDialect);
}

}  // namespace

std::vector<std::string> PlanSchema(Connection& connection, const sql::Tables& t, const SchemaOptions& options) {
  sql::Meta meta;
  std::vector<sql::Step> steps = Steps(connection, t, options, meta);
  if (options.shards > 0 && meta.shards > 0 && meta.shards != options.shards)
    steps.push_back(
        {"change the number of shards from " + std::to_string(meta.shards) + " to " + std::to_string(options.shards),
         ""});
  if (meta.version > 0 && meta.version < sql::kSchemaVersion)
    steps.push_back({"record version " + std::to_string(sql::kSchemaVersion) + " in " + t.prefix + "_meta", ""});
  return sql::Phrases(steps);
}

// The call waits for the one write lock without a queue, so that nobody waits behind it.
void ApplySchema(Connection& connection, const sql::Tables& tables, const SchemaOptions& options) {
  connection.Script("pragma journal_mode = wal");
  Transaction transaction(connection);
  sql::Meta before;
  for (const sql::Step& step : Steps(connection, tables, options, before)) connection.Script(step.sql);
  connection.Script(Filled(tables, kMeta, options.shards));
  const sql::Row meta = connection.Run({tables.In("select cast(shards as text) from {meta}"), {}}).at(0);
  if (options.shards > 0 && sql::ToNumber(meta[0]) != options.shards) {
    const auto live = connection.Run({"select relay_id from " + tables.relay + " where expires > " + kNow, {}});
    if (!live.empty())
      throw Error(OUTBOX_BAD_CONFIG, "the number of shards changes only while no relay runs; stop '" + *live[0][0] +
                                         "' (or wait until its lease has ended) and run this again");
    connection.Script(Reshard(tables, options.shards));
  }
  connection.Script(tables.In(kShards));
  connection.Script(Filled(tables, kVersion, options.shards));
  transaction.Commit();
}

std::vector<Finding> CheckSchema(Connection& connection, const sql::Tables& tables, const std::string& path) {
  const auto wanted = Wanted(tables);
  std::vector<Finding> findings = FindViews(connection, wanted);
  // Columns of a view cannot be changed there: it is a finding by itself.
  if (!findings.empty()) return findings;
  bool complete = true;
  sql::Rows outbox;
  for (const sql::Table& table : wanted) {
    const std::string name = table.name;
    const sql::Rows rows =
        connection.Run({"select cast(name as text), lower(cast(type as text)) from pragma_table_info(:name)", {name}});
    if (&table == &wanted.front()) outbox = rows;
    if (rows.empty()) {
      findings.push_back({true, "table " + tables.Quote(name) + " is missing", sql::kMigrate});
      complete = false;
      continue;
    }
    for (const auto& [column, type] : table.columns) {
      const auto same = [&column = column](const sql::Row& row) { return row[0] == column; };
      const auto found = std::find_if(rows.begin(), rows.end(), same);
      if (found != rows.end() && column == "id" && found->at(1).value_or("").find("int") == std::string::npos) {
        findings.push_back(
            {true,
             "column " + table.name + ".id is " + found->at(1).value_or("of no type") +
                 ", expected integer: the relay needs ids that rise with the order of insertion",
             Rebuild(tables, wanted[0], rows) +
                 "\n-- What was id is event_id from then on, or gone where there is one; rows that wait are"
                 " numbered in the order of their rowids."});
        return findings;
      }
      if (found != rows.end()) continue;
      // SQLite adds no column whose default is an expression, nor NOT NULL without a default.
      findings.push_back(
          {true, "column " + tables.Quote(name) + "." + column + " is missing",
           "alter table " + tables.Quote(name) + " add column " + column + " " + type.substr(0, type.find(' ')) + ";"});
      complete = false;
    }
  }

  int autoincrement = 0;
  if (sqlite3_table_column_metadata(connection.raw(), nullptr, tables.event_name.c_str(), "id", nullptr, nullptr,
                                    nullptr, nullptr, &autoincrement) == SQLITE_OK &&
      autoincrement == 0)
    findings.push_back({true,
                        "table " + tables.event +
                            " gives the id of a deleted row to a new one (its id is not AUTOINCREMENT):"
                            " a repeated confirm would delete an event that was never sent",
                        Rebuild(tables, wanted[0], outbox)});

  if (complete) {
    const sql::Rows meta =
        connection.Run({"select cast(version as text), cast(shards as text), cast((select count(*) from " +
                            tables.shard + ") as text) from " + tables.meta,
                        {}});
    if (meta.empty() || meta[0][1] != meta[0][2])
      findings.push_back({true, "table " + tables.meta + " and " + tables.shard + " do not fit", sql::kMigrate});
    else
      try {
        sql::RequireOwn(connection, tables, true);  // version and identity, as the relay asks for them at its start
      } catch (const Error& error) {
        if (error.code != OUTBOX_BAD_CONFIG) throw;
        findings.push_back({true, error.what(), ""});
      }
  }

  if (complete)
    for (Finding& finding : FindLowIds(connection, tables)) findings.push_back(std::move(finding));
  for (Finding& finding : FindOthers(connection, tables, wanted)) findings.push_back(std::move(finding));

  const sql::Rows mode = connection.Run({"select journal_mode from pragma_journal_mode", {}});
  if (!mode.empty() && mode[0][0] != "wal")
    findings.push_back({false,
                        "the journal mode is '" + mode[0][0].value_or("") +
                            "': the relay and the application block"
                            " each other while one of them writes",
                        "pragma journal_mode = wal;"});
  const auto folder = std::filesystem::absolute(path).parent_path();
  if (access(folder.c_str(), W_OK) != 0)
    findings.push_back({true,
                        "the folder " + folder.string() +
                            " is not writable for this user: SQLite keeps its log beside"
                            " the file",
                        "chown or chmod the folder"});
  return findings;
}

}  // namespace outbox::sqlite
