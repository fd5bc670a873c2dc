#include "postgres/schema.hpp"

#include "postgres/capture.hpp"
#include "postgres/dialect.hpp"
#include "sql/migration.hpp"
#include "sql/sql_template.hpp"

namespace outbox::postgres {
namespace {

// Storage options of tables whose rows come and go, and which hold few rows compared with those that have passed
// through them. Vacuum starts after a number of rows and not after a fraction of the table, so that index entries of
// delivered rows do not accumulate.
const char* const kQueue =
    " with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0,"
    " autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000)";
// Storage options of tables whose rows are updated in place. Free space on a page keeps an update out of the indexes.
const char* const kUpdated =
    " with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200)";

constexpr sql::SchemaDialect kDialect{"alter table [table] add column [column]",
                                      "create index [index] on [table] [columns]", "drop index [qualified]"};
// The statements for a printed script, which cannot check what exists.
constexpr sql::SchemaDialect kIfNeeded{"alter table [table] add column if not exists [column]",
                                       "create index if not exists [index] on [table] [columns]",
                                       "drop index if exists [qualified]"};

constexpr std::string_view kPayloads[] = {"text", "bytea", "json", "jsonb"};

constexpr sql::MigrationDialect kMigration{
    .changes = kDialect,
    .payloads = kPayloads,
    .other_payload = "--payload must be text, bytea, json or jsonb, not '[payload]'",
    .is_id = [](const std::string& type) { return type == "bigint" || type == "integer"; },
    .first_meta =
        "insert into {meta} (version, shards, outbox) values ([version], [shards], '[name]') on conflict do nothing",
    .add_shards =
        "insert into {shard} (shard) select generate_series(0, (select shards from {meta}) - 1)"
        " on conflict (shard) do nothing",
    .other_owner = "outbox is distinct from '[name]'",
};

// A change of the number of shards assigns events to other shards, so no earlier token may stay valid.
constexpr const char* kReshard = R"(do $outbox$ begin
  if (select shards from {meta} for update) <> [shards] then
    if exists (select 1 from {relay} where expires > clock_timestamp()) then
      raise exception 'the number of shards changes only while no relay runs: stop all relays (or wait until their leases have ended) and run this again';
    end if;
    update {meta} set shards = [shards];
    update {shard} set owner = null, state = 'free', token = token + 1;
  end if;
end $outbox$)";

// Gives the payload the requested type, also in an existing table. The change rewrites the table under an exclusive
// lock, so existing events are rewritten only on request. The earlier emit function is dropped, because calls with a
// plain literal are ambiguous while both functions exist.
constexpr const char* kChangePayload = R"(do $outbox$ declare kind text; becomes text; begin
  set local quote_all_identifiers = off;
  becomes := [payload];
  kind := (select format_type(atttypid, null) from pg_attribute
           where attrelid = '{event}'::regclass and attname = 'payload');
  if kind <> becomes then
    lock table {event} in access exclusive mode;
    if not [rewrite] and exists (select 1 from {event}) then
      raise exception 'a change of {event}.payload from % to % would rewrite waiting events. Nothing was changed; let the relay deliver them first, or run migrate again with --rewrite-events', kind, becomes;
    end if;
    execute format('drop function if exists [emit] (text, text, text, %s, jsonb)', kind);
    execute format('alter table {event} alter column payload type %s using %s', becomes,
      case when becomes = 'bytea' then 'convert_to(cast(payload as text), ''UTF8'')'
           when kind = 'bytea' then format('cast(convert_from(payload, ''UTF8'') as %s)', becomes)
           else format('cast(cast(payload as text) as %s)', becomes) end);
  end if;
end $outbox$)";

// Gives the payload of the dead letters the type that it has in the outbox.
constexpr const char* kFollowPayload = R"(do $outbox$ declare kind text; was text; begin
  set local quote_all_identifiers = off;
  kind := (select format_type(atttypid, null) from pg_attribute
           where attrelid = '{event}'::regclass and attname = 'payload');
  was := (select format_type(atttypid, null) from pg_attribute
          where attrelid = '{dead}'::regclass and attname = 'payload');
  if was <> kind then
    lock table {dead} in access exclusive mode;
    if not [rewrite] and exists (select 1 from {dead}) then
      raise exception 'a change of {dead}.payload from % to % would rewrite dead letters. Nothing was changed; requeue or discard them first, or run migrate again with --rewrite-events', was, kind;
    end if;
    execute format('alter table {dead} alter column payload type %s using %s', kind,
      case when kind = 'bytea' then 'convert_to(cast(payload as text), ''UTF8'')'
           when was = 'bytea' then format('cast(convert_from(payload, ''UTF8'') as %s)', kind)
           else format('cast(cast(payload as text) as %s)', kind) end);
  end if;
end $outbox$)";

// Checks the names in a printed script. If the options name no schema, the session that runs the script determines
// which tables the names mean.
constexpr const char* kGuardNames = R"(do $outbox$ begin
  if exists (select 1 from pg_class where relnamespace = pg_my_temp_schema()
             and relname in ('[name]', '[prefix]_retry', '[prefix]_dead', '[prefix]_relay', '[prefix]_shard', '[prefix]_meta')) then
    raise exception 'this session has temporary tables with the names of the outbox; run this script in another session';
  end if;
  if (select relnamespace from pg_class where oid = to_regclass('{event}')) <> to_regnamespace(quote_ident(current_schema())) then
    raise exception 'the outbox is not in the schema in which this session creates tables; set "table" to SCHEMA.[name] in the options';
  end if;
end $outbox$)";

// Refuses companion tables of a newer version, those of another outbox, and those that may belong to either of two
// outboxes.
constexpr const char* kGuardOwner = R"(do $outbox$ declare version integer; owner text; begin
  if to_regclass('{meta}') is null then
    return;
  end if;
  execute 'select version from {meta}' into version;
  if version > [version] then
    raise exception 'the tables have version % and this relay supports up to [version]; use a newer outbox-relay', version;
  end if;
  if exists (select 1 from pg_attribute where attrelid = to_regclass('{meta}') and attname = 'outbox' and not attisdropped) then
    execute 'select outbox from {meta}' into owner;
  end if;
  if owner <> '[name]' and to_regclass('[dot]' || quote_ident(owner)) is not null then
    raise exception 'the companion tables [prefix]_meta and so on belong to the outbox %: give [name] another name', owner;
  end if;
  if owner is null and (select count(*) from pg_attribute where attrelid = to_regclass('[rival]') and attnum > 0 and not
      attisdropped and attname in ('id', 'topic', 'aggregate_id', 'event_type', 'payload')) = 5 then
    raise exception 'the companion tables [prefix]_meta and so on may belong to [name] or to another outbox with these companions; record the owner: alter table {meta} add column outbox text; update {meta} set outbox = ''[name]'';';
  end if;
end $outbox$)";

// The schema is created only if it is missing, because CREATE SCHEMA requires a privilege on the database even if the
// schema exists.
constexpr const char* kSchema = R"(do $outbox$ begin
  if not exists (select 1 from pg_namespace where nspname = '[schema]') then
    create schema "[schema]";
  end if;
end $outbox$)";

// Returns the oldest open transaction that holds a lock on one of the tables.
constexpr const char* kBlocker = R"(
select cast(a.pid as text), a.application_name, cast(cast(extract(epoch from clock_timestamp() - a.xact_start) as integer) as text)
from pg_locks l join pg_class c on c.oid = l.relation join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'relation' and l.granted and l.pid <> pg_backend_pid() and a.xact_start is not null
  and c.relnamespace = (select oid from pg_namespace where nspname = cast(:schema as text))
  and starts_with(cast(c.relname as text), cast(:prefix as text))
order by a.xact_start limit 1)";

// The emit function. Its parameter payload has the type of the column. The body names no function and no operator, and
// names the table with its schema, so nothing in it depends on the caller's search path. The function sets no
// search_path of its own, because such a setting also applies to the triggers that the application has on its outbox,
// which may rely on the search path of the caller.
constexpr const char* kEmit = R"(do $outbox$ begin
  execute format('create or replace function [emit]
    (topic text, key text, type text, payload %s, headers jsonb default null) returns bigint language sql as $function$
      insert into %s (topic, aggregate_id, event_type, payload, headers) values ($1, $2, $3, $4, $5) returning id
    $function$',
    (select format_type(atttypid, null) from pg_attribute
     where attrelid = '{event}'::regclass and attname = 'payload'),
    (select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.oid = '{event}'::regclass));
end $outbox$)";

// The channel is named by the table's oid, because a channel belongs to the whole database.
constexpr const char* kWakeUp = R"(do $outbox$ begin
  create or replace function [wake_up] () returns trigger language plpgsql
    set search_path = pg_catalog, pg_temp as $function$ begin
    perform pg_notify('outbox_' || tg_relid, '');
    return null;
  end $function$;
  if not exists (select 1 from pg_trigger where tgrelid = '{event}'::regclass and tgname = '[trigger]') then
    create trigger "[trigger]" after insert on {event} for each statement execute function [wake_up] ();
  end if;
end $outbox$)";

constexpr const char* kNoWakeUp = R"(do $outbox$ begin
  if exists (select 1 from pg_trigger where tgrelid = '{event}'::regclass and tgname = '[trigger]') then
    drop trigger "[trigger]" on {event};
    drop function [wake_up] ();
  end if;
end $outbox$)";

// Returns an SQL expression for the type that the payload is to have, or '' if none is requested.
std::string PayloadType(const sql::Tables& t, const SchemaOptions& options) {
  return t.captured ? PayloadTypeSql(t) : "'" + options.payload + "'";
}

std::string InFull(const sql::Tables& t, const SchemaOptions& options, std::string_view sql) {
  const std::string rival = t.event_name == t.prefix ? t.prefix + "_event" : t.prefix;
  return sql::Filled(t, options,
                     sql::Fill(sql, {{"[schema]", t.schema},
                                     {"[rival]", t.Quote(rival)},
                                     {"[dot]", t.schema.empty() ? "" : '"' + t.schema + "\"."},
                                     {"[prefix]", t.prefix},
                                     {"[payload]", PayloadType(t, options)},
                                     {"[rewrite]", options.rewrite_events ? "true" : "false"},
                                     {"[emit]", t.emit},
                                     {"[trigger]", t.prefix + kWakeUpTrigger},
                                     {"[wake_up]", t.Quote(t.prefix + kWakeUpTrigger)}}));
}

// Returns the statements that add or remove rows of {shard} until their number is right.
std::vector<std::string> Shards(const sql::Tables& t, const SchemaOptions& options) {
  std::vector<std::string> statements{InFull(t, options, kMigration.add_shards), InFull(t, options, sql::kDropShards)};
  if (options.shards > 0) statements.insert(statements.begin(), InFull(t, options, kReshard));
  return statements;
}

bool HasTrigger(sql::Statements& db, const sql::Tables& t) {
  return !db.Run({"select 1 from pg_trigger where tgrelid = cast(cast(:table as text) as regclass) and tgname ="
                  " cast(:name as text)",
                  {t.event, t.prefix + kWakeUpTrigger}})
              .empty();
}

void CheckOptions(const sql::Tables& t, const SchemaOptions& options) {
  if (t.captured && !options.payload.empty())
    throw Error(OUTBOX_BAD_CONFIG, "the payload has the type of column \"" + t.captured->Payload().name + "\" of " +
                                       t.Shown(t.captured->table) + ", whose rows are captured; leave --payload out");
  sql::CheckOptions(kMigration, options);
}

// Describes how many rows a change of the payload's type would rewrite, and whether it changes their bytes.
std::string Rewriting(sql::Statements& db, const std::string& table, const std::string& type) {
  constexpr long long kCounted = 1'000'000;
  const long long rows = sql::ToNumber(
      db.Run({"select count(*) from (select 1 from " + table + " limit " + std::to_string(kCounted + 1) + ") l", {}})
          .at(0)[0]);
  return ": rewrites " + (rows > kCounted ? "more than " + std::to_string(kCounted) : std::to_string(rows)) +
         " rows under an exclusive lock; " +
         (type == "jsonb"
              ? "their bytes change: jsonb keeps neither blanks, nor the order of members, nor duplicate members"
              : "their bytes do not change");
}

using K = sql::ColumnKind;
constexpr std::pair<K, std::string_view> kTypes[] = {
    {K::kNewId, "bigint generated by default as identity primary key"},
    {K::kNewEventId, "uuid not null default gen_random_uuid()"},
    {K::kEventId, "uuid"},
    {K::kCreated, "timestamptz not null default now()"},
    {K::kCopiedTime, "timestamptz not null"},
    {K::kTime, "timestamptz not null"},
    {K::kExpiry, "timestamptz not null"},
    {K::kDue, "timestamptz"},
    {K::kHeaders, "jsonb"},
    {K::kBigNumber, "bigint"},
    {K::kNumber, "integer"},
    {K::kOnlyRow, "integer primary key default 1 check (only_row = 1)"},
};

class Migration final : public sql::Migration {
 public:
  // `types` are the types of the captured table's columns; it is empty if nothing is captured.
  Migration(Client& client, const sql::Tables& t, const SchemaOptions& options, const std::vector<MappedType>& types)
      : sql::Migration(client, t, options, kCatalogue, Dialect(), kMigration), types_(types) {}
  // Returns the statements that Apply() has collected, for the caller to run in one transaction.
  [[nodiscard]] const std::string& script() const { return script_; }

 private:
  // Returns the tables that this version needs. The dead letters have the payload type of the outbox, even if the
  // application created the outbox.
  std::vector<sql::Table> Wanted(const sql::FoundTables& found) override {
    const std::string is = PayloadIn(found, t_.event_name);
    const std::string& becomes = options_.payload.empty() ? is : options_.payload;
    std::vector<sql::Table> wanted = postgres::Wanted(t_, becomes.empty() ? "text" : becomes);
    if (t_.captured) AddCopies(wanted, t_, types_);
    return wanted;
  }

  std::vector<sql::Step> Before(Existing&) override { return {{"", {Fill(kSchema)}}}; }
  std::vector<std::string> ShardStatements() override { return Shards(t_, options_); }

  std::vector<sql::Step> After(const Existing& now) override {
    std::vector<sql::Step> steps = PayloadSteps(now.found);
    if (t_.captured)
      steps.push_back({PlanTrigger(db_, t_), {TriggerSql(t_)}});
    else
      steps.push_back({"", {Fill(kEmit)}});
    const bool has_trigger = now.found.contains(t_.event_name) && HasTrigger(db_, t_);
    if (has_trigger != options_.wake_up)
      steps.push_back({std::string(options_.wake_up ? "create" : "drop") + " trigger " + t_.prefix + kWakeUpTrigger +
                           " on " + t_.event_name,
                       {Fill(options_.wake_up ? kWakeUp : kNoWakeUp)}});
    else if (has_trigger)
      steps.push_back({"", {Fill(kWakeUp)}});  // the function may be of an earlier version
    return steps;
  }

  void Change(const std::vector<std::string>& together) override { script_ += sql::Script(together); }

  [[nodiscard]] std::string Fill(std::string_view sql) const { return InFull(t_, options_, sql); }

  [[nodiscard]] static std::string PayloadIn(const sql::FoundTables& found, const std::string& table) {
    const auto there = found.find(table);
    if (there == found.end()) return "";
    const auto payload = there->second.columns.find("payload");
    return payload == there->second.columns.end() ? "" : payload->second;
  }

  // Returns the steps that change the type of the payload: in the outbox to the requested type, and in the dead letters
  // to the type of the outbox.
  [[nodiscard]] std::vector<sql::Step> PayloadSteps(const sql::FoundTables& found) {
    if (!found.contains(t_.event_name)) return {};
    std::vector<sql::Step> steps;
    const std::string is = PayloadIn(found, t_.event_name), becomes = options_.payload.empty() ? is : options_.payload;
    const auto change = [&](const std::string& name, const std::string& quoted, const std::string& from,
                            const char* sql) {
      if (from == becomes) return;
      steps.push_back(
          {"change the type of " + name + ".payload from " + from + " to " + becomes + Rewriting(db_, quoted, becomes),
           {Fill(sql)}});
    };
    change(t_.event_name, t_.event, is, kChangePayload);
    if (found.contains(t_.prefix + "_dead"))
      change(t_.prefix + "_dead", t_.dead, PayloadIn(found, t_.prefix + "_dead"), kFollowPayload);
    return steps;
  }

  std::string script_;
  const std::vector<MappedType>& types_;
};

// Calls `use` with a migration for the tables that exist in the database. The payload of captured rows has the type of
// the column from which it is copied.
template <class Use>
auto WithMigration(Client& client, const sql::Tables& t, SchemaOptions options, Use use) {
  CheckOptions(t, options);
  std::vector<MappedType> types;
  if (t.captured) {
    types = RequireTypes(client, t);
    options.payload = types.at(static_cast<std::size_t>(t.captured->Find(OUTBOX_ROLE_PAYLOAD))).copy;
  }
  Migration migration(client, t, options, types);
  return use(migration);
}

}  // namespace

// Returns the query for tables. If no schema is given, a table is looked up along the search path, as the session finds
// it.
sql::Statement AskCatalogue(const sql::Tables& t, const std::vector<std::string>& names) {
  constexpr const char* kSql = R"(
with ours as (select c.oid, cast(c.relname as text) as name, c.relkind
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relname = any (cast(:names as text[])) and n.nspname = coalesce(nullif(cast(:schema as text), ''),
    (select m.nspname from unnest(current_schemas(false)) with ordinality as p(name, place) join pg_namespace m
     on m.nspname = p.name join pg_class d on d.relnamespace = m.oid and d.relname = c.relname order by p.place limit 1)))
select name, 'table', case when relkind in ('r', 'p') then 'table' end, cast(oid as text) from ours
union all
select o.name, 'column', cast(a.attname as text), format_type(a.atttypid, null)
from ours o join pg_attribute a on a.attrelid = o.oid and a.attnum > 0 and not a.attisdropped
union all
select o.name, 'index', cast(i.relname as text), null
from ours o join pg_index x on x.indrelid = o.oid join pg_class i on i.oid = x.indexrelid)";
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "{" : ",") + name;
  return {kSql, {list + "}", t.schema}};
}

std::vector<sql::Table> Wanted(const sql::Tables& t, const std::string& payload) {
  std::vector<sql::Table> tables = sql::OutboxTables(t, {kTypes});
  for (const auto which : {sql::kEvent, sql::kDead}) sql::ColumnOf(tables[which], "payload").type = payload;
  tables[sql::kEvent].storage = kQueue;
  for (const auto which : {sql::kRetry, sql::kRelay, sql::kShard, sql::kMeta}) tables[which].storage = kUpdated;
  sql::Table& retry = tables[sql::kRetry];
  // The index is on a hash, because an index entry cannot hold a key of several kilobytes. kBehind in read_sql.cpp
  // explains the expression row_id + 0.
  retry.indexes = {{retry.name + "_hash", "(hashtext(aggregate_id), (row_id + 0))"},
                   {retry.name + "_turn", "(next_try, row_id)"},
                   {retry.name + "_remove", "(remove_at) where remove_at is not null"}};
  retry.obsolete_indexes = {retry.name + "_key", retry.name + "_due"};
  return tables;
}

std::string PrintSchema(const sql::Tables& t, const SchemaOptions& options) {
  CheckOptions(t, options);
  if (options.remove_capture) {
    sql::RequireCaptured(t);
    return EndCaptureSql(t) + "\n";
  }
  std::vector<std::string> script{t.schema.empty() ? kGuardNames : kSchema, kGuardOwner};
  for (const sql::Table& table : Wanted(t, options.payload.empty() ? "text" : options.payload)) {
    script.push_back(sql::CreateTable(t, table, kDialect));
    if (table.kind == "event") continue;
    for (const sql::Step& step : sql::UpgradeFromVersion1(t, table, kIfNeeded)) script.push_back(step.sql.front());
  }
  script.emplace_back(kMigration.first_meta);
  for (const std::string& sql : Shards(t, options)) script.push_back(sql);
  if (t.captured) script.push_back(AddCopiesSql(t));
  if (!options.payload.empty() || t.captured) script.emplace_back(kChangePayload);
  script.emplace_back(kFollowPayload);
  script.emplace_back(t.captured ? TriggerSql(t) : kEmit);
  script.emplace_back(options.wake_up ? kWakeUp : kNoWakeUp);
  script.push_back(sql::RecordVersion(kMigration));
  return InFull(t, options, sql::Script(script));
}

namespace {

std::string Blocker(Client& client, const sql::Tables& t) {
  const sql::Rows rows = client.Run({kBlocker, {t.schema, t.captured ? t.captured->table : t.prefix}});
  if (rows.empty()) return "";
  return "The oldest of them belongs to process " + rows[0][0].value_or("?") + " (" + rows[0][1].value_or("") +
         ") and has been open for " + rows[0][2].value_or("?") + " s. ";
}

}  // namespace

std::vector<std::string> PlanSchema(Client& client, const sql::Tables& t, const SchemaOptions& options) {
  if (options.remove_capture) {
    sql::RequireCaptured(t);
    if (!LookAtCapture(client, t).has_trigger) return {};
    return {"drop the trigger on " + t.Shown(t.captured->table) + " and its function"};
  }
  return WithMigration(client, t, options, [](Migration& migration) { return migration.Plan(); });
}

void ApplySchema(Client& client, const sql::Tables& t, const SchemaOptions& options, Millis timeout) {
  const auto change = [&] {
    client.Script("begin");
    try {
      // Without this lock, two migrations at the same time would both find no tables, and one of them would fail: "if
      // not exists" takes no lock.
      client.Script("select pg_advisory_xact_lock(hashtext('outbox-relay migrate'))");
      // All names are qualified. Without a search path, functions and operators can only be those of the server.
      if (!t.schema.empty()) client.Script("set local search_path = pg_catalog, pg_temp");
      client.Script("set local lock_timeout = " + std::to_string(sql::kLockWait.count()));
      if (options.remove_capture) {
        sql::RequireCaptured(t);
        client.Script(NotedEndSql(t));
        client.Script(EndCaptureSql(t));
      } else {
        WithMigration(client, t, options, [&client](Migration& migration) {
          migration.Apply();
          client.Script(migration.script());
        });
      }
      client.Script("commit");
    } catch (const Error&) {
      client.RollBack();
      throw;
    }
  };
  sql::TryForLocks(timeout, change, [&] { return Blocker(client, t); });
}

}  // namespace outbox::postgres
