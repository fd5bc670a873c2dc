#include "mysql/schema.hpp"

#include <optional>

#include "mysql/dialect.hpp"
#include "sql/migration.hpp"
#include "sql/sql_template.hpp"

namespace outbox::mysql {
namespace {

constexpr const char* kKeyHash = "integer unsigned generated always as (crc32(aggregate_id)) stored";

// The collation compares bytes, so keys that differ only in case are different keys, as in Kafka.
constexpr const char* kStorage = " engine = InnoDB default character set utf8mb4 collate utf8mb4_bin";

constexpr sql::SchemaDialect kDialect{"alter table [table] add column [column]",
                                      "alter table [table] add index [index] [columns]",
                                      "alter table [table] drop index [index]"};

constexpr std::string_view kPayloads[] = {"blob", "bytea", "text"};

constexpr sql::MigrationDialect kMigration{
    .changes = kDialect,
    .payloads = kPayloads,
    .other_payload = "MySQL's longblob stores every payload unchanged; omit the payload type '[payload]'",
    .is_id = IsId,
    .first_meta =
        "insert ignore into {meta} (only_row, version, shards, outbox) values (1, [version], [shards], '[name]')",
    .add_shards = R"(insert ignore into {shard} (shard)
  with recursive n (i) as (select 0 union all select i + 1 from n where i + 1 < (select shards from {meta}))
  select i from n)",
    .other_owner = "not outbox <=> '[name]'",
};

// The emit routine is a procedure and not a function, because a function needs a privilege that few users have if the
// server writes a binary log.
constexpr const char* kEmit = R"(create procedure [emit] (in topic varchar(249), in aggregate_id varchar(255),
    in event_type varchar(255), in payload longblob, in headers json)
  modifies sql data
  insert into {event} (topic, aggregate_id, event_type, payload, headers)
  values (topic, aggregate_id, event_type, [payload], headers))";

std::vector<std::string> Emit(const sql::Tables& t, const std::string& payload) {
  return {"drop procedure if exists " + t.emit, t.In(sql::Fill(kEmit, {{"[emit]", t.emit}, {"[payload]", payload}}))};
}

// Runs a statement at the end of a scope. Errors of the statement are ignored: if the connection is lost, the setting
// or lock that the statement is to undo is lost as well.
class AtEnd {
 public:
  AtEnd(Client& client, const char* sql) : client_(client), sql_(sql) {}
  ~AtEnd() {
    try {
      (void)client_.Run({sql_, {}});
    } catch (const Error&) {
    }
  }
  AtEnd(const AtEnd&) = delete;
  AtEnd& operator=(const AtEnd&) = delete;

 private:
  Client& client_;
  const char* const sql_;
};

std::string Text(const std::string& sql) { return "'" + sql::Fill(sql, {{"'", "''"}}) + "'"; }

std::string Database(const sql::Tables& t) { return t.schema.empty() ? "database()" : "'" + t.schema + "'"; }

// Returns statements that execute `sql` if the SQL expression `condition` is true. A script has no conditional
// statements, but it can choose the text from which a statement is prepared.
std::string Conditional(const std::string& condition, const std::string& sql) {
  return "set @outbox_step = if(" + condition + ", " + Quoted(sql) +
         ", 'do 0');\nprepare outbox_step from @outbox_step;\nexecute outbox_step;\ndeallocate prepare outbox_step";
}

std::string RoutineSql(const sql::Tables& t, const std::string& name) {
  return "select routine_definition, definer from information_schema.routines where routine_schema = " + Database(t) +
         " and routine_name = " + Text(name);
}

std::string HasColumns(const sql::Tables& t, const std::string& table, const std::string& columns) {
  return "(select count(*) from information_schema.columns where table_schema = " + Database(t) +
         " and table_name = " + Text(table) + " and column_name in (" + columns + "))";
}

// Returns statements that end the script with an error if the companion tables may belong to another outbox. The
// statements select an unknown column whose name is the message, because a script without a procedure has no other way
// to raise an error.
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

// Adds to `statements` the steps that upgrade `table`. The script executes each step only if the table still needs it.
void Upgrading(const sql::Tables& t, const sql::Table& table, std::vector<std::string>& statements) {
  using Kind = sql::Step::Kind;
  for (const sql::Step& step : sql::UpgradeFromVersion1(t, table, kDialect)) {
    const std::string has =
        step.kind == Kind::kAddColumn
            ? HasColumns(t, table.name, Quoted(step.name))
            : "(select count(*) from information_schema.statistics where table_schema = " + Database(t) +
                  " and table_name = " + Text(table.name) + " and index_name = " + Text(step.name) + ")";
    statements.push_back(Conditional(has + (step.kind == Kind::kDropIndex ? " > 0" : " = 0"), step.sql.front()));
  }
}

// Widens the columns of version 1, which held texts of up to 255 characters. The key was in an index, and a wider
// column does not fit into an index, so the new index contains a hash of the key. All changes are one statement,
// because the old index must be dropped before the column can become wider.
constexpr const char* kHashKeys = R"(alter table {retry} drop index aggregate_id, modify event_id varchar(255) not null,
  modify aggregate_id longtext, add column key_hash [hash], add index key_hash (key_hash, row_id))";
constexpr const char* kWidenDead = R"(alter table {dead} modify event_id varchar(255) not null,
  modify topic longtext not null, modify aggregate_id longtext, modify event_type longtext not null)";

// Returns the steps that widen the columns of version 1. Adds the column and the index that these steps create to
// `found`, so that no other step creates them too.
std::vector<sql::Step> Widening(const sql::Tables& t, sql::FoundTables& found) {
  const auto retry = found.find(t.prefix + "_retry");
  if (retry == found.end() || retry->second.columns.contains("key_hash")) return {};
  retry->second.columns.emplace("key_hash", "");
  retry->second.indexes.emplace("key_hash", "");
  std::vector<sql::Step> steps{{"widen the text columns of " + t.prefix + "_retry, and index a hash of the key",
                                {t.In(sql::Fill(kHashKeys, {{"[hash]", kKeyHash}}))}}};
  if (found.contains(t.prefix + "_dead"))
    steps.push_back({"widen the text columns of " + t.prefix + "_dead", {t.In(kWidenDead)}});
  return steps;
}

// Adds to `statements`, which form a script, the steps that widen the columns of version 1.
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

// Returns a query for the tables `names`, their columns and their indexes. The query compares schema and table with
// constants, because for any other expression MariaDB would open every table of the server.
sql::Statement AskCatalogue(const sql::Tables& t, const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + Text(name);
  const std::string where = " where table_schema = " + Database(t) + " and table_name in (" + list + ")";
  return {
      "select table_name, 'table', if(table_type = 'BASE TABLE', 'table', table_type), null"
      " from information_schema.tables" +
          where + " union all select table_name, 'column', column_name, data_type from information_schema.columns" +
          where + " union all select table_name, 'index', index_name, null from information_schema.statistics" + where,
      {}};
}

using K = sql::ColumnKind;
constexpr std::pair<K, std::string_view> kTypes[] = {
    {K::kNewId, "bigint not null auto_increment primary key"},
    {K::kNewEventId, "char(36) not null default (uuid())"},
    {K::kTopic, "varchar(249)"},
    {K::kName, "varchar(255)"},
    {K::kEventId, "varchar(255)"},
    {K::kText, "longtext"},
    {K::kState, "varchar(16)"},
    {K::kPayload, "longblob"},
    {K::kHeaders, "json"},
    {K::kCreated, "timestamp(6) not null default current_timestamp(6)"},
    {K::kTime, "timestamp(6) not null default current_timestamp(6)"},
    {K::kExpiry, "timestamp(6) not null default current_timestamp(6)"},
    {K::kCopiedTime, "timestamp(6) null"},
    {K::kDue, "timestamp(6) null"},
    {K::kBigNumber, "bigint"},
    {K::kNumber, "integer"},
    {K::kOnlyRow, "integer not null primary key"},
};

}  // namespace

// The text columns of outbox_retry and outbox_dead are wide enough for every value of the outbox's own columns, which
// the application may have made wider. An index does not accept such long values, so keys are looked up by a hash.
std::vector<sql::Table> Wanted(const sql::Tables& t) {
  std::vector<sql::Table> tables = sql::OutboxTables(t, {.types = kTypes, .key = " not null primary key"});
  for (sql::Table& table : tables) table.storage = kStorage;
  sql::Table& retry = tables[sql::kRetry];
  retry.columns.push_back({"key_hash", kKeyHash, 2});
  retry.indexes = {{"key_hash", "(key_hash, row_id)"}, {"next_try", "(next_try)"}, {"remove_at", "(remove_at)"}};
  return tables;
}

namespace {

// Returns the statements of a script that set up the capture. They set the character set and the sql_mode themselves,
// so the effect of the trigger does not depend on the session that runs the script.
std::vector<std::string> Capturing(const sql::Tables& t, const std::vector<sql::Table>& copies, const SourceLook& look,
                                   const std::vector<MappedType>& types) {
  std::vector<std::string> script{"set names utf8mb4",
                                  "set session sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"};
  for (const auto which : {sql::kEvent, sql::kDead}) {
    sql::Table only = copies[which];
    std::erase_if(only.columns, [](const sql::Column& column) { return column.quoted.empty(); });
    Upgrading(t, only, script);
  }
  for (const Procedure& procedure : Procedures(t)) {
    script.push_back("drop procedure if exists " + t.Quote(procedure.name));
    script.push_back(procedure.create);
  }
  script.push_back(ReplaceTrigger(t, look, types));
  return script;
}

}  // namespace

sql::Catalogue CatalogueOf(const Client& client) { return {AskCatalogue, client.server().ignores_case}; }

std::string PayloadFromBlob(sql::Statements& db, const sql::Tables& t) {
  const sql::Rows rows =
      db.Run({"select data_type from information_schema.columns where column_name = 'payload' and table_name = :table"
              " and table_schema = coalesce(nullif(:schema, ''), database())",
              {t.event_name, t.schema}});
  return !rows.empty() && rows[0][0] == "json" ? "convert(payload using utf8mb4)" : "payload";
}

std::string PrintSchema(const sql::Tables& t, const SchemaOptions& options, const SourceLook& look) {
  if (options.remove_capture) {
    sql::RequireCaptured(t);
    return EndCaptureSql(t) + "\n";
  }
  sql::CheckOptions(kMigration, options);
  std::vector<sql::Table> wanted = Wanted(t), copies = wanted;
  std::vector<MappedType> types;
  if (t.captured) {
    types = RequireTypes(t, look);
    AddCaptured(copies, t, types);
    for (const auto which : {sql::kEvent, sql::kDead}) {
      const auto own = static_cast<std::ptrdiff_t>(wanted[which].columns.size());
      wanted[which].columns.assign(copies[which].columns.begin(), copies[which].columns.begin() + own);
    }
  }
  std::vector<std::string> script = Guarding(t);
  for (const sql::Table& table : wanted) script.push_back(sql::CreateTable(t, table, kDialect));
  Widening(t, script);
  for (const sql::Table& table : wanted)
    if (table.kind != "event") Upgrading(t, table, script);
  for (std::string& sql : sql::PrintedRows(kMigration, options)) script.push_back(std::move(sql));
  if (!t.captured)
    for (std::string& sql : Emit(t, "payload")) script.push_back(std::move(sql));
  const std::string database = t.schema.empty() ? "" : "create database if not exists `" + t.schema + "`;\n";
  // The capture part is not passed through Filled(), because the name of a column may look like a placeholder.
  const std::string capture = t.captured ? sql::Script(Capturing(t, copies, look, types)) : "";
  return database + sql::Filled(t, options, sql::Script(script)) + capture +
         sql::Filled(t, options, sql::Script({sql::RecordVersion(kMigration)}));
}

namespace {

// Returns the steps that create or replace the emit procedure, or no steps if the procedure exists in the expected
// form. The procedure is not replaced without need, because every open transaction that has called the procedure locks
// it, and because the procedure is missing for a moment during the replacement.
std::vector<sql::Step> EmitSteps(Client& client, const sql::Tables& t) {
  const std::vector<std::string> sql = Emit(t, PayloadFromBlob(client, t));
  const sql::Rows is = client.Run({RoutineSql(t, t.prefix + "_emit"), {}});
  if (!is.empty() && is[0][0] && sql[1].ends_with(*is[0][0])) return {};
  return {{(is.empty() ? "create" : "replace") + (" procedure " + t.prefix) + "_emit", {sql[0]}}, {"", {sql[1]}}};
}

// Returns the steps that create or replace the trigger and its procedures. The trigger and the procedures belong to the
// same user, so all of them are replaced if one of them must be. The trigger is created last.
std::vector<sql::Step> CaptureSteps(Client& client, const sql::Tables& t, const SourceLook& look,
                                    const std::vector<MappedType>& types) {
  bool right = IsRight(client, t, look, types) && FindOwnerRights(client, t).empty();
  bool found = false;
  const std::vector<Procedure> procedures = Procedures(t);
  for (const Procedure& procedure : procedures) {
    const sql::Rows is = client.Run({RoutineSql(t, procedure.name), {}});
    found = found || !is.empty();
    right =
        right && !is.empty() && is[0][0] && procedure.create.ends_with(*is[0][0]) && is[0][1] == look.trigger->definer;
  }
  if (right) return {};
  std::vector<sql::Step> steps;
  for (const Procedure& procedure : procedures) {
    steps.push_back({(found ? "replace procedure " : "create procedure ") + procedure.name,
                     {"drop procedure if exists " + t.Quote(procedure.name)}});
    steps.push_back({"", {procedure.create}});
  }
  steps.push_back(
      {(look.trigger ? "replace" : "create") + (" trigger " + t.event_name) + " on " + t.Shown(t.captured->table),
       {look.trigger ? ReplaceTrigger(t, look, types) : CreateTrigger(t, types)}});
  return steps;
}

std::string Blocker(Client& client) {
  try {
    const sql::Rows rows = client.Run(
        {"select trx_mysql_thread_id, timestampdiff(second, trx_started, now()) from"
         " information_schema.innodb_trx where trx_mysql_thread_id <> connection_id() order by trx_started limit 1",
         {}});
    if (rows.empty()) return "";
    return "The oldest open transaction on the server belongs to connection " + rows[0][0].value_or("?") +
           " and has been open for " + rows[0][1].value_or("?") + " s. ";
  } catch (const Error&) {  // the query needs a privilege that few users have
    return "";
  }
}

class Migration final : public sql::Migration {
 public:
  Migration(Client& client, const sql::Tables& t, const SchemaOptions& options, Millis timeout)
      : sql::Migration(client, t, options, CatalogueOf(client), Dialect(), kMigration),
        client_(client),
        timeout_(timeout) {
    if (!t.captured) return;
    look_ = LookDirectly(client, t);
    types_ = RequireTypes(t, look_);
  }

 private:
  std::vector<sql::Table> Wanted(const sql::FoundTables&) override {
    std::vector<sql::Table> wanted = mysql::Wanted(t_);
    if (t_.captured) AddCaptured(wanted, t_, types_);
    return wanted;
  }
  std::vector<sql::Step> Before(Existing& now) override { return Widening(t_, now.found); }
  std::vector<sql::Step> After(const Existing&) override {
    return t_.captured ? CaptureSteps(client_, t_, look_, types_) : EmitSteps(client_, t_);
  }

  // Runs statements that change the schema. Each change of a table commits by itself in MySQL. If the migration is
  // interrupted, another run finishes it.
  void Change(const std::vector<std::string>& together) override {
    if (together.size() == 1) {
      // One second is the shortest wait for a table lock that the server supports. The wait must be short, because
      // while a change of a table waits for its lock, every later statement on the table waits behind the change.
      (void)client_.Execute("set @outbox_wait = @@session.lock_wait_timeout, session lock_wait_timeout = 1");
      const AtEnd longer(client_, "set session lock_wait_timeout = @outbox_wait");
      std::optional<AtEnd> unlock;
      if (t_.captured) unlock.emplace(client_, "unlock tables");
      sql::TryForLocks(
          timeout_, [&] { (void)client_.Execute(together.front()); }, [&] { return Blocker(client_); });
    } else {
      std::vector<sql::Statement> statements;
      statements.reserve(together.size());
      for (const std::string& sql : together) statements.push_back({sql, {}});
      (void)client_.RunTogether(statements);
    }
  }

  Client& client_;
  const Millis timeout_;
  SourceLook look_;  // the captured table, if there is one
  std::vector<MappedType> types_;
};

}  // namespace

std::vector<std::string> PlanSchema(Client& client, const sql::Tables& t, const SchemaOptions& options) {
  if (options.remove_capture) {
    sql::RequireCaptured(t);
    return {"drop the trigger on " + t.Shown(t.captured->table) + " and its procedures"};
  }
  return Migration(client, t, options, Millis(0)).Plan();
}

void ApplySchema(Client& client, const sql::Tables& t, const SchemaOptions& options, Millis timeout) {
  // Takes a lock, because two migrations that run at the same time would interfere with each other.
  if (client.Run({"select get_lock('outbox-relay migrate', 3)", {}}).at(0)[0] != "1")
    throw Error(OUTBOX_UNAVAILABLE, "another migrate is running; try again when it has ended");
  const AtEnd unlock(client, "select release_lock('outbox-relay migrate')");
  if (!options.remove_capture) return Migration(client, t, options, timeout).Apply();
  sql::RequireCaptured(t);
  (void)client.Execute("set @outbox_wait = @@session.lock_wait_timeout, session lock_wait_timeout = 1");
  const AtEnd longer(client, "set session lock_wait_timeout = @outbox_wait");
  sql::TryForLocks(
      timeout, [&] { (void)client.Execute(EndCaptureSql(t)); }, [&] { return Blocker(client); });
}

}  // namespace outbox::mysql
