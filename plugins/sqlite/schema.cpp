#include "sqlite/schema.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "sql/fill.hpp"
#include "sqlite/time.hpp"

namespace outbox::sqlite {
namespace {

constexpr std::uint32_t kMostShards = 256;

struct Table {
  std::string name;
  std::vector<std::pair<std::string, std::string>> columns;  // name, type and constraints
};

// first_failed, last_failed and died_at are for people; next_try is compared: milliseconds since 1970, NULL = blocked.
std::vector<Table> Wanted(const sql::Tables& t) {
  return {
      {t.event,
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
      {t.retry,
       {{"row_id", "integer primary key"},
        {"aggregate_id", "text"},
        {"attempts", "integer not null"},
        {"next_try", "integer"},
        {"first_failed", "text not null"},
        {"last_failed", "text not null"},
        {"reason", "text not null"},
        {"error", "text not null"}}},
      {t.dead,
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
      {t.relay, {{"relay_id", "text primary key"}, {"expires", "integer not null"}}},
      {t.shard,
       {{"shard", "integer primary key"},
        {"owner", "text"},
        {"token", "integer not null default 0"},
        {"state", "text not null default 'free'"},
        {"lost", "integer not null default 0"},
        {"suspect", "integer"},
        {"suspect_token", "integer"},
        {"suspect_owners", "integer not null default 0"}}},
      {t.meta,
       {{"only_row", "integer primary key check (only_row = 1)"},
        {"version", "integer not null"},
        {"shards", "integer not null"}}},
  };
}

std::string Create(const Table& table) {
  std::string sql = "create table if not exists " + table.name + " (";
  const char* separator = "\n  ";
  for (const auto& [name, type] : table.columns) {
    sql.append(separator).append(name).append(" ").append(type);
    separator = ",\n  ";
  }
  return sql + "\n);\n";
}

std::string Create(const sql::Tables& t, std::uint32_t shards) {
  std::string sql;
  for (const Table& table : Wanted(t)) sql += Create(table);
  return sql + t.In(sql::Fill(R"(create index if not exists "[prefix]_retry_key" on {retry} (aggregate_id, row_id);
create index if not exists "[prefix]_retry_due" on {retry} (next_try);
insert into {meta} (only_row, version, shards) values (1, [version], [shards]) on conflict (only_row) do nothing;
)",
                              {{"[prefix]", t.prefix},
                               {"[version]", std::to_string(sql::kSchemaVersion)},
                               {"[shards]", std::to_string(std::max(1U, shards))}}));
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

void CheckWish(const SchemaWish& wish) {
  const auto& payload = wish.payload;
  if (!payload.empty() && payload != "blob" && payload != "text" && payload != "bytea")
    throw Error(OUTBOX_BAD_CONFIG,
                "SQLite stores every payload as it comes; leave the payload type '" + payload + "' out");
  if (wish.shards > kMostShards)
    throw Error(OUTBOX_BAD_CONFIG, "at most " + std::to_string(kMostShards) + " shards are possible");
}

// The same table with ids that never come again.
std::string Rebuild(const sql::Tables& t, const Table& wanted) {
  std::string names;
  for (const auto& [name, type] : wanted.columns) names += (names.empty() ? "" : ", ") + name;
  return t.In(
      sql::Fill("begin; alter table {event} rename to \"[name]_old\"; [create] insert into {event} ([names])"
                " select [names] from \"[name]_old\" order by id; drop table \"[name]_old\"; commit;",
                {{"[name]", t.event_name}, {"[create]", Create(wanted)}, {"[names]", names}}));
}

}  // namespace

std::string PrintSchema(const sql::Tables& tables, const SchemaWish& wish) {
  CheckWish(wish);
  std::string sql = "pragma journal_mode = wal;\nbegin immediate;\n" + Create(tables, wish.shards);
  if (wish.shards > 0) sql += "-- Only while no relay runs:\n" + Reshard(tables, wish.shards);
  return sql + tables.In(kShards) + "commit;\n";
}

void ApplySchema(Connection& connection, const sql::Tables& tables, const SchemaWish& wish) {
  CheckWish(wish);
  connection.Script("pragma journal_mode = wal");
  Transaction transaction(connection);
  connection.Script(Create(tables, wish.shards));
  const sql::Row meta =
      connection.Run({tables.In("select cast(version as text), cast(shards as text) from {meta}"), {}}).at(0);
  if (sql::ToNumber(meta[0]) > sql::kSchemaVersion)
    throw Error(OUTBOX_BAD_CONFIG, "the tables have version " + *meta[0] + " and this relay knows " +
                                       std::to_string(sql::kSchemaVersion) + "; use a newer outbox-relay");
  if (wish.shards > 0 && sql::ToNumber(meta[1]) != wish.shards) {
    const auto live = connection.Run({"select relay_id from " + tables.relay + " where expires > " + kNow, {}});
    if (!live.empty())
      throw Error(OUTBOX_BAD_CONFIG, "the number of shards changes only while no relay runs; stop '" + *live[0][0] +
                                         "' (or wait until its lease has ended) and run this again");
    connection.Script(Reshard(tables, wish.shards));
  }
  connection.Script(tables.In(kShards));
  transaction.Commit();
}

std::vector<Finding> CheckSchema(Connection& connection, const sql::Tables& tables, const std::string& path) {
  std::vector<Finding> findings;
  bool complete = true;
  const auto wanted = Wanted(tables);
  for (const Table& table : wanted) {
    const std::string name = table.name.substr(1, table.name.size() - 2);
    const sql::Rows rows = connection.Run({"select cast(name as text) from pragma_table_info(:name)", {name}});
    if (rows.empty()) {
      findings.push_back({true, "table " + table.name + " is missing", sql::kMigrate});
      complete = false;
      continue;
    }
    for (const auto& [column, type] : table.columns) {
      const auto same = [&column = column](const sql::Row& row) { return row[0] == column; };
      if (std::any_of(rows.begin(), rows.end(), same)) continue;
      // SQLite adds no column whose default is an expression, nor NOT NULL without a default.
      findings.push_back(
          {true, "column " + table.name + "." + column + " is missing",
           "alter table " + table.name + " add column " + column + " " + type.substr(0, type.find(' ')) + ";"});
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
                        Rebuild(tables, wanted[0])});

  if (complete) {
    const sql::Rows meta =
        connection.Run({"select cast(version as text), cast(shards as text), cast((select count(*) from " +
                            tables.shard + ") as text) from " + tables.meta,
                        {}});
    if (meta.empty() || meta[0][1] != meta[0][2])
      findings.push_back({true, "table " + tables.meta + " and " + tables.shard + " do not fit", sql::kMigrate});
    else if (sql::ToNumber(meta[0][0]) > sql::kSchemaVersion)
      findings.push_back(
          {true,
           "the tables have version " + *meta[0][0] + " and this relay knows " + std::to_string(sql::kSchemaVersion),
           "use a newer outbox-relay"});
  }

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
