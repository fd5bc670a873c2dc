#include "mysql/schema.hpp"

#include <algorithm>

#include "sql/sql_template.hpp"

namespace outbox::mysql {
namespace {

constexpr std::uint32_t kMaxShards = 256;
constexpr const char* kKeyHash = "integer unsigned generated always as (crc32(aggregate_id)) stored";

// The collation compares by bytes, so that keys which differ by case are two, as in Kafka.
constexpr const char* kStorage = " engine = InnoDB default character set utf8mb4 collate utf8mb4_bin";

constexpr sql::SchemaDialect kDialect{"alter table [table] add column [column]",
                                      "alter table [table] add index [index] [columns]",
                                      "alter table [table] drop index [index]"};

void CheckOptions(const SchemaOptions& options) {
  const auto& payload = options.payload;
  if (!payload.empty() && payload != "blob" && payload != "bytea" && payload != "text")
    throw Error(OUTBOX_BAD_CONFIG,
                "MySQL's longblob holds every payload as it comes; leave the payload type '" + payload + "' out");
  if (options.shards > kMaxShards)
    throw Error(OUTBOX_BAD_CONFIG, "at most " + std::to_string(kMaxShards) + " shards are possible");
}

// A function would need a right that few have where the server writes a binary log; a procedure does not.
constexpr const char* kEmit = R"(create procedure [emit] (in topic varchar(249), in aggregate_id varchar(255),
    in event_type varchar(255), in payload longblob, in headers json)
  modifies sql data
  insert into {event} (topic, aggregate_id, event_type, payload, headers)
  values (topic, aggregate_id, event_type, [payload], headers))";

constexpr const char* kMeta =
    "insert ignore into {meta} (only_row, version, shards, outbox) values (1, [version], [shards], '[name]')";

// Last: a relay reads the version to see whether all of the upgrade is there.
constexpr const char* kVersion =
    "update {meta} set version = [version], outbox = '[name]' where version < [version] or not outbox <=> '[name]'";

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
                              {"[name]", t.event_name},
                              {"[version]", std::to_string(sql::kSchemaVersion)},
                              {"[shards]", std::to_string(std::max(1U, shards))}}));
}

std::vector<std::string> Emit(const sql::Tables& t, const std::string& payload) {
  return {"drop procedure if exists " + t.emit, sql::Fill(Filled(t, kEmit, 0), {{"[payload]", payload}})};
}

// Two that run at once would get in each other's way. Ends with the connection, too.
class MigrateLock {
 public:
  explicit MigrateLock(Client& client) : client_(client) {
    if (client_.Run({"select get_lock('outbox-relay migrate', 3)", {}}).at(0)[0] != "1")
      throw Error(OUTBOX_UNAVAILABLE, "another migrate is running; try again");
  }
  ~MigrateLock() {
    try {
      (void)client_.Run({"select release_lock('outbox-relay migrate')", {}});
    } catch (const Error&) {  // the connection is gone, and the lock with it
    }
  }
  MigrateLock(const MigrateLock&) = delete;
  MigrateLock& operator=(const MigrateLock&) = delete;

 private:
  Client& client_;
};

std::string Text(const std::string& sql) { return "'" + sql::Fill(sql, {{"'", "''"}}) + "'"; }

std::string Database(const sql::Tables& t) { return t.schema.empty() ? "database()" : "'" + t.schema + "'"; }

// A script has no conditions; a statement that is prepared from a text can be another one.
std::string Conditional(const std::string& condition, const std::string& sql) {
  return "set @outbox_step = if(" + condition + ", " + Text(sql) +
         ", 'do 0');\nprepare outbox_step from @outbox_step;\nexecute outbox_step;\ndeallocate prepare outbox_step";
}

std::string HasColumns(const sql::Tables& t, const std::string& table, const std::string& columns) {
  return "(select count(*) from information_schema.columns where table_schema = " + Database(t) +
         " and table_name = " + Text(table) + " and column_name in (" + columns + "))";
}

// Ends the script with an error that names an unknown column: there is no other way without a procedure.
std::vector<std::string> Guarding(const sql::Tables& t) {
  const std::string meta = t.prefix + "_meta", name = Text(t.event_name),
                    rival = t.event_name == t.prefix ? t.prefix + "_event" : t.prefix;
  const auto is_outbox = [&](const std::string& table) {
    return HasColumns(t, table, "'id', 'topic', 'aggregate_id', 'event_type', 'payload'") + " = 5";
  };
  return {"set @outbox_owner = null",
          Conditional(HasColumns(t, meta, "'outbox'") + " = 1", t.In("select outbox into @outbox_owner from {meta}")),
          Conditional(HasColumns(t, meta, "'version'") + " = 1 and coalesce(@outbox_owner, '') <> " + name + " and " +
                          is_outbox(rival),
                      "select `the companion tables may belong to another outbox`")};
}

void Upgrading(const sql::Tables& t, const sql::Table& table, std::vector<std::string>& statements) {
  const auto indexes = [&](const std::string& index) {
    return "(select count(*) from information_schema.statistics where table_schema = " + Database(t) +
           " and table_name = " + Text(table.name) + " and index_name = " + Text(index) + ")";
  };
  for (const auto& column : table.columns) {
    if (sql::IsOriginal(t, table, column.first) || column.first == "event_id") continue;
    const sql::Table one{table.name, {column}};
    for (const sql::Step& step : sql::Upgrade(t, one, {}, kDialect))
      statements.push_back(Conditional(HasColumns(t, table.name, Text(column.first)) + " = 0", step.sql));
  }
  for (const sql::Index& index : table.indexes)
    for (const sql::Step& step : sql::Upgrade(t, {table.name, {}, "", {index}}, {}, kDialect))
      statements.push_back(Conditional(indexes(index.name) + " = 0", step.sql));
  for (const std::string& index : table.obsolete_indexes)
    for (const sql::Step& step : sql::Upgrade(t, {table.name, {}, "", {}, {index}}, {true, {}, {index}}, kDialect))
      statements.push_back(Conditional(indexes(index) + " > 0", step.sql));
}

// Tables of version 1 held texts of 255 characters, and the key in an index, which no wider column fits into. One statement,
// as the index must go before the column can grow.
constexpr const char* kHashKeys = R"(alter table {retry} drop index aggregate_id, modify event_id varchar(255) not null,
  modify aggregate_id longtext, add column key_hash [hash], add index key_hash (key_hash, row_id))";
constexpr const char* kWidenDead = R"(alter table {dead} modify event_id varchar(255) not null,
  modify topic longtext not null, modify aggregate_id longtext, modify event_type longtext not null)";

// Takes what they change out of `found`.
std::vector<sql::Step> Widening(const sql::Tables& t, sql::FoundTables& found) {
  const auto retry = found.find(t.prefix + "_retry");
  if (retry == found.end() || retry->second.columns.contains("key_hash")) return {};
  retry->second.columns.insert("key_hash");
  retry->second.indexes.insert("key_hash");
  std::vector<sql::Step> steps{{"widen the text columns of " + t.prefix + "_retry, and index a hash of the key",
                                t.In(sql::Fill(kHashKeys, {{"[hash]", kKeyHash}}))}};
  if (found.contains(t.prefix + "_dead"))
    steps.push_back({"widen the text columns of " + t.prefix + "_dead", t.In(kWidenDead)});
  return steps;
}

// The same for a script.
void Widening(const sql::Tables& t, std::vector<std::string>& statements) {
  const std::string varchar = " and data_type = 'varchar')";
  const auto is_varchar = [&](const std::string& table, const std::string& column) {
    const std::string has = HasColumns(t, t.prefix + table, Text(column));
    return has.substr(0, has.size() - 1) + varchar + " = 1";
  };
  statements.push_back(
      Conditional(is_varchar("_retry", "aggregate_id"), t.In(sql::Fill(kHashKeys, {{"[hash]", kKeyHash}}))));
  statements.push_back(Conditional(is_varchar("_dead", "topic"), t.In(kWidenDead)));
}

sql::FoundTables Found(Client& client, const sql::Tables& t, const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + Text(name);
  const std::string where = " where table_schema = " + Database(t) + " and table_name in (" + list + ")";
  sql::FoundTables found;
  for (const sql::Row& row :
       client.Run({"select table_name, 'table', table_type from information_schema.tables" + where +
                       " union all select table_name, 'column', column_name from information_schema.columns" + where +
                       " union all select table_name, 'index', index_name from information_schema.statistics" + where,
                   {}})) {
    // The catalog's own comparison ignores case on some servers whose tables differ by it.
    for (const std::string& name : names) {
      if (!sql::SameName(row[0].value_or(""), name, client.server().ignores_case)) continue;
      sql::FoundTable& table = found[name];
      if (row[1] == "table") table.is_table = row[2] == "BASE TABLE";
      if (row[1] == "column") table.columns.insert(row[2].value_or(""));
      if (row[1] == "index") table.indexes.insert(row[2].value_or(""));
    }
  }
  return found;
}

sql::FoundTables Found(Client& client, const sql::Tables& t, const std::vector<sql::Table>& wanted) {
  std::vector<std::string> names;
  names.reserve(wanted.size());
  for (const sql::Table& table : wanted) names.push_back(table.name);
  return Found(client, t, names);
}

// Returns the row of the meta table; version 0 = there is none yet.
sql::Meta RequireFree(Client& client, const sql::Tables& t, const sql::FoundTables& found) {
  const auto meta_table = found.find(t.prefix + "_meta");
  if (meta_table == found.end()) return {};
  const std::string outbox = meta_table->second.columns.contains("outbox") ? "outbox" : "null";
  const sql::Rows rows = client.Run({t.In("select version, shards, " + outbox + " from {meta}"), {}});
  if (rows.empty()) return {};
  sql::Meta meta{sql::ToNumber(rows[0][0]), sql::ToNumber(rows[0][1]), rows[0][2]};
  sql::RequireKnownVersion(meta);
  const bool ignore_case = client.server().ignores_case;
  std::vector<std::string> others;
  for (const auto& [name, table] : Found(client, t, sql::Rivals(t, meta.outbox, ignore_case)))
    if (sql::LooksLikeOutbox(table)) others.push_back(name);
  sql::RequireFree(t, meta, others, ignore_case);
  return meta;
}

}  // namespace

std::vector<sql::Table> Wanted(const sql::Tables& t) {
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
       kStorage},
      // next_try NULL = blocked, or, where remove_at is not NULL, delivered: the database did not let the row go, and its
      // removal is tried again then. The text columns hold whatever the outbox's own do, which the application may have made
      // wider; no index takes that much, so the key is looked up by a hash. event_id beside row_id: after a TRUNCATE ids come
      // again.
      {t.prefix + "_retry",
       {{"row_id", "bigint not null primary key"},
        {"event_id", "varchar(255) not null"},
        {"aggregate_id", "longtext"},
        {"attempts", "integer not null"},
        {"next_try", "timestamp(6) null"},
        {"remove_at", "timestamp(6) null"},
        {"first_failed", "timestamp(6) not null default current_timestamp(6)"},
        {"last_failed", "timestamp(6) not null default current_timestamp(6)"},
        {"reason", "varchar(255) not null"},
        {"error", "text not null"},
        {"key_hash", kKeyHash}},
       kStorage,
       {{"key_hash", "(key_hash, row_id)"}, {"next_try", "(next_try)"}, {"remove_at", "(remove_at)"}}},
      {t.prefix + "_dead",
       {{"row_id", "bigint not null primary key"},
        {"event_id", "varchar(255) not null"},
        {"topic", "longtext not null"},
        {"aggregate_id", "longtext"},
        {"event_type", "longtext not null"},
        {"payload", "longblob"},
        {"headers", "json"},
        {"created_at", "timestamp(6) null"},
        {"attempts", "integer not null"},
        {"first_failed", "timestamp(6) not null default current_timestamp(6)"},
        {"died_at", "timestamp(6) not null default current_timestamp(6)"},
        {"reason", "varchar(255) not null"},
        {"error", "text not null"}},
       kStorage},
      {t.prefix + "_relay",
       {{"relay_id", "varchar(255) not null primary key"},
        {"expires", "timestamp(6) not null default current_timestamp(6)"}},
       kStorage},
      {t.prefix + "_shard",
       {{"shard", "integer not null primary key"},
        {"owner", "varchar(255)"},
        {"token", "bigint not null default 0"},
        {"state", "varchar(16) not null default 'free'"},
        {"lost", "integer not null default 0"},
        {"suspect", "bigint"},
        {"suspect_token", "bigint"},
        {"suspect_owners", "integer not null default 0"}},
       kStorage},
      // Its one row is also the lock under which leases change hands.
      {t.prefix + "_meta",
       {{"only_row", "integer not null primary key"},
        {"version", "integer not null"},
        {"shards", "integer not null"},
        {"outbox", "varchar(255)"}},
       kStorage},
  };
}

std::string PayloadFromBlob(sql::Statements& db, const sql::Tables& t) {
  const sql::Rows rows =
      db.Run({"select data_type from information_schema.columns where column_name = 'payload' and table_name = :table"
              " and table_schema = coalesce(nullif(:schema, ''), database())",
              {t.event_name, t.schema}});
  return !rows.empty() && rows[0][0] == "json" ? "convert(payload using utf8mb4)" : "payload";
}

std::string PrintSchema(const sql::Tables& t, const SchemaOptions& options) {
  CheckOptions(options);
  std::vector<std::string> statements = Guarding(t);
  for (const sql::Table& table : Wanted(t)) {
    statements.push_back(sql::CreateTable(t, table));
  }
  Widening(t, statements);
  for (const sql::Table& table : Wanted(t))
    if (table.name != t.event_name) Upgrading(t, table, statements);
  statements.push_back(Filled(t, kMeta, options.shards));
  if (options.shards > 0) {
    statements.push_back("-- Only while no relay runs:\n" + Filled(t, kFreeShards, options.shards));
    statements.push_back(Filled(t, kSetShards, options.shards));
  }
  for (const char* sql : {kDropShards, kAddShards}) statements.push_back(Filled(t, sql, options.shards));
  for (std::string& sql : Emit(t, "payload")) statements.push_back(std::move(sql));
  statements.push_back(Filled(t, kVersion, options.shards));
  std::string text;
  if (!t.schema.empty()) text = "create database if not exists `" + t.schema + "`;\n";
  for (const std::string& sql : statements) text += sql + ";\n";
  return text;
}

namespace {

struct Current {
  sql::FoundTables found;
  sql::Meta meta;
};

Current Look(Client& client, const sql::Tables& t) {
  const auto wanted = Wanted(t);
  Current now{Found(client, t, wanted), {}};
  sql::RequireCompanions(t, wanted, now.found);
  now.meta = RequireFree(client, t, now.found);
  return now;
}

// The procedure as it would be made; nothing where it is there already. It is locked by every open transaction that has
// called it, and gone for a moment while it is replaced.
std::vector<sql::Step> EmitSteps(Client& client, const sql::Tables& t) {
  const std::vector<std::string> sql = Emit(t, PayloadFromBlob(client, t));
  const sql::Rows is =
      client.Run({"select routine_definition from information_schema.routines where routine_schema = " + Database(t) +
                      " and routine_name = " + Text(t.prefix + "_emit"),
                  {}});
  if (!is.empty() && is[0][0] && sql[1].ends_with(*is[0][0])) return {};
  std::vector<sql::Step> steps{{is.empty() ? "" : "replace procedure " + t.prefix + "_emit", sql[0]}, {"", sql[1]}};
  if (is.empty()) steps[1].what = "create procedure " + t.prefix + "_emit";
  return steps;
}

std::string Blocker(Client& client) {
  try {
    const sql::Rows rows = client.Run(
        {"select trx_mysql_thread_id, timestampdiff(second, trx_started, now()) from"
         " information_schema.innodb_trx where trx_mysql_thread_id <> connection_id() order by trx_started limit 1",
         {}});
    if (rows.empty()) return "";
    return "The oldest open transaction of the server is of connection " + rows[0][0].value_or("?") + ", for " +
           rows[0][1].value_or("?") + " s already. ";
  } catch (const Error&) {  // needs a right that few have
    return "";
  }
}

// The shortest wait that the server knows: whoever uses the table next waits behind a change that waits.
class ShortLocks {
 public:
  explicit ShortLocks(Client& client) : client_(client) {
    (void)client_.Execute("set @outbox_wait = @@session.lock_wait_timeout, session lock_wait_timeout = 1");
  }
  ~ShortLocks() {
    try {
      (void)client_.Execute("set session lock_wait_timeout = @outbox_wait");
    } catch (const Error&) {  // the connection is gone, and its settings with it
    }
  }
  ShortLocks(const ShortLocks&) = delete;
  ShortLocks& operator=(const ShortLocks&) = delete;

 private:
  Client& client_;
};

}  // namespace

std::vector<std::string> PlanSchema(Client& client, const sql::Tables& t, const SchemaOptions& options) {
  CheckOptions(options);
  Current now = Look(client, t);
  std::vector<sql::Step> steps = Widening(t, now.found);
  for (sql::Step& step : sql::TableSteps(t, Wanted(t), now.found, kDialect)) steps.push_back(std::move(step));
  if (options.shards > 0 && now.meta.shards > 0 && now.meta.shards != options.shards)
    steps.push_back({"change the number of shards from " + std::to_string(now.meta.shards) + " to " +
                         std::to_string(options.shards),
                     ""});
  for (sql::Step& step : EmitSteps(client, t)) steps.push_back(std::move(step));
  if (now.meta.version > 0 && now.meta.version < sql::kSchemaVersion)
    steps.push_back({"record version " + std::to_string(sql::kSchemaVersion) + " in " + t.prefix + "_meta", ""});
  return sql::Phrases(steps);
}

void ApplySchema(Client& client, const sql::Tables& t, const SchemaOptions& options, Millis timeout) {
  CheckOptions(options);
  const MigrateLock lock(client);
  Current now = Look(client, t);
  // Each commits by itself, as every change of a table does here; a second run finishes what was cut off.
  const auto change = [&](const std::vector<sql::Step>& steps) {
    const ShortLocks locks(client);
    for (const sql::Step& step : steps)
      sql::TryForLocks(
          timeout, [&] { (void)client.Execute(step.sql); }, [&] { return Blocker(client); });
  };
  change(Widening(t, now.found));
  change(sql::TableSteps(t, Wanted(t), now.found, kDialect));
  (void)client.Execute(Filled(t, kMeta, options.shards));
  const sql::Row meta = client.Run({t.In("select shards from {meta}"), {}}).at(0);
  std::vector<sql::Statement> steps;
  if (options.shards > 0 && sql::ToNumber(meta[0]) != options.shards) {
    const sql::Rows live = client.Run({t.In("select relay_id from {relay} where expires > sysdate(6)"), {}});
    if (!live.empty())
      throw Error(OUTBOX_BAD_CONFIG, "the number of shards changes only while no relay runs; stop '" + *live[0][0] +
                                         "' (or wait until its lease has ended) and run this again");
    for (const char* sql : {kFreeShards, kSetShards}) steps.push_back({Filled(t, sql, options.shards), {}});
  }
  for (const char* sql : {kDropShards, kAddShards}) steps.push_back({Filled(t, sql, options.shards), {}});
  (void)client.RunTogether(steps);
  change(EmitSteps(client, t));
  (void)client.Execute(Filled(t, kVersion, options.shards));
}

}  // namespace outbox::mysql
