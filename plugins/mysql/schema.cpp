#include "mysql/schema.hpp"

#include <algorithm>

#include "sql/fill.hpp"

namespace outbox::mysql {
namespace {

constexpr std::uint32_t kMostShards = 256;

// The collation compares by bytes, so that keys which differ by case are two, as in Kafka.
constexpr const char* kStorage = " engine = InnoDB default character set utf8mb4 collate utf8mb4_bin";

std::string Create(const sql::Tables& t, const Table& table) {
  std::string sql = "create table if not exists " + t.Quote(table.name) + " (";
  const char* separator = "\n  ";
  for (const auto& [name, type] : table.columns) {
    sql.append(separator).append(name).append(" ").append(type);
    separator = ",\n  ";
  }
  return sql + table.indexes + "\n)" + kStorage;
}

void CheckWish(const SchemaWish& wish) {
  const auto& payload = wish.payload;
  if (!payload.empty() && payload != "blob" && payload != "bytea" && payload != "text")
    throw Error(OUTBOX_BAD_CONFIG,
                "MySQL's longblob holds every payload as it comes; leave the payload type '" + payload + "' out");
  if (wish.shards > kMostShards)
    throw Error(OUTBOX_BAD_CONFIG, "at most " + std::to_string(kMostShards) + " shards are possible");
}

// A function would need a right that few have where the server writes a binary log; a procedure does not.
constexpr const char* kEmit = R"(create procedure [emit] (in topic varchar(249), in aggregate_id varchar(255),
    in event_type varchar(255), in payload longblob, in headers json)
  modifies sql data
  insert into {event} (topic, aggregate_id, event_type, payload, headers)
  values (topic, aggregate_id, event_type, [payload], headers))";

constexpr const char* kMeta = "insert ignore into {meta} (only_row, version, shards) values (1, [version], [shards])";

// One row a shard, as many as the meta table says.
constexpr const char* kDropShards = "delete from {shard} where shard >= (select shards from {meta})";
constexpr const char* kAddShards = R"(insert ignore into {shard} (shard)
  with recursive n (i) as (select 0 union all select i + 1 from n where i + 1 < (select shards from {meta}))
  select i from n)";

// The rows change shards, so that no token of before may hold on.
constexpr const char* kFreeShards = "update {shard} set owner = null, state = 'free', token = token + 1";
constexpr const char* kSetShards = "update {meta} set shards = [shards]";

std::string Filled(const sql::Tables& t, const char* sql, std::uint32_t shards) {
  return t.In(sql::Fill(sql, {{"[emit]", t.emit},
                              {"[version]", std::to_string(sql::kSchemaVersion)},
                              {"[shards]", std::to_string(std::max(1U, shards))}}));
}

// In order. Each commits by itself, as every CREATE does here; a second run finishes what was cut off.
std::vector<std::string> Creating(const sql::Tables& t, std::uint32_t shards) {
  std::vector<std::string> statements;
  for (const Table& table : Wanted(t)) statements.push_back(Create(t, table));
  statements.push_back(Filled(t, kMeta, shards));
  return statements;
}

std::vector<std::string> Emitting(const sql::Tables& t, const std::string& payload) {
  return {"drop procedure if exists " + t.emit, sql::Fill(Filled(t, kEmit, 0), {{"[payload]", payload}})};
}

// Two that run at once would get in each other's way. Ends with the connection, too.
class MigrateLock {
 public:
  explicit MigrateLock(Wire& wire) : wire_(wire) {
    if (wire_.Run({"select get_lock('outbox-relay migrate', 3)", {}}).at(0)[0] != "1")
      throw Error(OUTBOX_UNAVAILABLE, "another migrate is running; try again");
  }
  ~MigrateLock() {
    try {
      (void)wire_.Run({"select release_lock('outbox-relay migrate')", {}});
    } catch (const Error&) {  // the connection is gone, and the lock with it
    }
  }
  MigrateLock(const MigrateLock&) = delete;
  MigrateLock& operator=(const MigrateLock&) = delete;

 private:
  Wire& wire_;
};

}  // namespace

std::vector<Table> Wanted(const sql::Tables& t) {
  return {
      {t.event_name,
       {{"id", "bigint not null auto_increment primary key"},
        {"event_id", "char(36) not null default (uuid())"},
        {"topic", "varchar(249) not null"},
        {"aggregate_id", "varchar(255)"},
        {"event_type", "varchar(255) not null"},
        {"payload", "longblob"},
        {"headers", "json"},
        {"created_at", "timestamp(6) not null default current_timestamp(6)"}},
       ""},
      // next_try NULL = blocked. event_id beside row_id: after a TRUNCATE ids come again.
      {t.prefix + "_retry",
       {{"row_id", "bigint not null primary key"},
        {"event_id", "char(36) not null"},
        {"aggregate_id", "varchar(255)"},
        {"attempts", "integer not null"},
        {"next_try", "timestamp(6) null"},
        {"first_failed", "timestamp(6) not null default current_timestamp(6)"},
        {"last_failed", "timestamp(6) not null default current_timestamp(6)"},
        {"reason", "varchar(255) not null"},
        {"error", "text not null"}},
       ",\n  index (aggregate_id, row_id),\n  index (next_try)"},
      {t.prefix + "_dead",
       {{"row_id", "bigint not null primary key"},
        {"event_id", "char(36) not null"},
        {"topic", "varchar(249) not null"},
        {"aggregate_id", "varchar(255)"},
        {"event_type", "varchar(255) not null"},
        {"payload", "longblob"},
        {"headers", "json"},
        {"created_at", "timestamp(6) null"},
        {"attempts", "integer not null"},
        {"first_failed", "timestamp(6) not null default current_timestamp(6)"},
        {"died_at", "timestamp(6) not null default current_timestamp(6)"},
        {"reason", "varchar(255) not null"},
        {"error", "text not null"}},
       ""},
      {t.prefix + "_relay",
       {{"relay_id", "varchar(255) not null primary key"},
        {"expires", "timestamp(6) not null default current_timestamp(6)"}},
       ""},
      {t.prefix + "_shard",
       {{"shard", "integer not null primary key"},
        {"owner", "varchar(255)"},
        {"token", "bigint not null default 0"},
        {"state", "varchar(16) not null default 'free'"},
        {"lost", "integer not null default 0"},
        {"suspect", "bigint"},
        {"suspect_token", "bigint"},
        {"suspect_owners", "integer not null default 0"}},
       ""},
      // Its one row is also the lock under which leases change hands.
      {t.prefix + "_meta",
       {{"only_row", "integer not null primary key"}, {"version", "integer not null"}, {"shards", "integer not null"}},
       ""},
  };
}

std::string PayloadFromBlob(sql::Statements& db, const sql::Tables& t) {
  const sql::Rows rows =
      db.Run({"select data_type from information_schema.columns where column_name = 'payload' and table_name = :table"
              " and table_schema = coalesce(nullif(:schema, ''), database())",
              {t.event_name, t.schema}});
  return !rows.empty() && rows[0][0] == "json" ? "convert(payload using utf8mb4)" : "payload";
}

std::string PrintSchema(const sql::Tables& t, const SchemaWish& wish) {
  CheckWish(wish);
  std::vector<std::string> statements = Creating(t, wish.shards);
  if (wish.shards > 0) {
    statements.push_back("-- Only while no relay runs:\n" + Filled(t, kFreeShards, wish.shards));
    statements.push_back(Filled(t, kSetShards, wish.shards));
  }
  for (const char* sql : {kDropShards, kAddShards}) statements.push_back(Filled(t, sql, wish.shards));
  for (std::string& sql : Emitting(t, "payload")) statements.push_back(std::move(sql));
  std::string text;
  if (!t.schema.empty()) text = "create database if not exists `" + t.schema + "`;\n";
  for (const std::string& sql : statements) text += sql + ";\n";
  return text;
}

void ApplySchema(Wire& wire, const sql::Tables& t, const SchemaWish& wish) {
  CheckWish(wish);
  const MigrateLock lock(wire);
  for (const std::string& sql : Creating(t, wish.shards)) (void)wire.Execute(sql);
  const sql::Row meta = wire.Run({t.In("select version, shards from {meta}"), {}}).at(0);
  if (sql::ToNumber(meta[0]) > sql::kSchemaVersion)
    throw Error(OUTBOX_BAD_CONFIG, "the tables have version " + *meta[0] + " and this relay knows " +
                                       std::to_string(sql::kSchemaVersion) + "; use a newer outbox-relay");
  std::vector<sql::Statement> steps;
  if (wish.shards > 0 && sql::ToNumber(meta[1]) != wish.shards) {
    const sql::Rows live = wire.Run({t.In("select relay_id from {relay} where expires > sysdate(6)"), {}});
    if (!live.empty())
      throw Error(OUTBOX_BAD_CONFIG, "the number of shards changes only while no relay runs; stop '" + *live[0][0] +
                                         "' (or wait until its lease has ended) and run this again");
    for (const char* sql : {kFreeShards, kSetShards}) steps.push_back({Filled(t, sql, wish.shards), {}});
  }
  for (const char* sql : {kDropShards, kAddShards}) steps.push_back({Filled(t, sql, wish.shards), {}});
  (void)wire.RunTogether(steps);
  for (const std::string& sql : Emitting(t, PayloadFromBlob(wire, t))) (void)wire.Execute(sql);
}

}  // namespace outbox::mysql
