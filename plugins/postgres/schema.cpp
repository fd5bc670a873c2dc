#include "postgres/schema.hpp"

#include <algorithm>
#include <array>

#include "sql/sql_template.hpp"

namespace outbox::postgres {
namespace {

constexpr std::uint32_t kMaxShards = 256;
constexpr std::array<std::string_view, 5> kTypes{"", "text", "bytea", "json", "jsonb"};

// Rows come and go, and the table is small against what passed through it: vacuum by number, not by share, so that index
// entries of delivered rows do not pile up.
const char* const kQueue =
    " with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0,"
    " autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000)";
// Updated in place: room on the page keeps an update out of the index.
const char* const kUpdated =
    " with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200)";

constexpr sql::SchemaDialect kDialect{"alter table [table] add column [column]",
                                      "create index [index] on [table] [columns]", "drop index [qualified]"};
// For a script that does not know what is there.
constexpr sql::SchemaDialect kIfNeeded{"alter table [table] add column if not exists [column]",
                                       "create index if not exists [index] on [table] [columns]",
                                       "drop index if exists [qualified]"};

void CheckOptions(const SchemaOptions& options) {
  if (std::find(kTypes.begin(), kTypes.end(), options.payload) == kTypes.end())
    throw Error(OUTBOX_BAD_CONFIG, "the payload is text, bytea, json or jsonb; not '" + options.payload + "'");
  if (options.shards > kMaxShards)
    throw Error(OUTBOX_BAD_CONFIG, "at most " + std::to_string(kMaxShards) + " shards are possible");
}

constexpr const char* kMeta =
    "insert into {meta} (version, shards, outbox) values ([version], [initial], '[name]') on conflict do nothing;\n";

// Last: a relay reads the version to see whether all of the upgrade is there.
constexpr const char* kVersion = R"(update {meta} set version = [version], outbox = '[name]'
  where version < [version] or outbox is distinct from '[name]';
)";

// The rows change shards, so that no token of before may hold on.
constexpr const char* kReshard = R"(do $outbox$ begin
  if (select shards from {meta} for update) <> [shards] then
    if exists (select 1 from {relay} where expires > clock_timestamp()) then
      raise exception 'the number of shards changes only while no relay runs: stop them (or wait until their leases have ended) and run this again';
    end if;
    update {meta} set shards = [shards];
    update {shard} set owner = null, state = 'free', token = token + 1;
  end if;
end $outbox$;
)";

constexpr const char* kShards =
    R"(insert into {shard} (shard) select generate_series(0, (select shards from {meta}) - 1) on conflict (shard) do nothing;
delete from {shard} where shard >= (select shards from {meta});
)";

// An existing column follows an explicit options; this rewrites the table, under an exclusive lock, and so is done to stored
// events only where that is asked for. The function of before
// would make calls with a plain literal ambiguous.
constexpr const char* kChangePayload = R"(do $outbox$ declare kind text; begin
  set local quote_all_identifiers = off;
  kind := (select format_type(atttypid, null) from pg_attribute
           where attrelid = '{event}'::regclass and attname = 'payload');
  if kind <> '[payload]' then
    lock table {event} in access exclusive mode;
    if not [rewrite] and exists (select 1 from {event}) then
      raise exception 'a change of {event}.payload from % to [payload] would rewrite events that wait. Nothing was changed; let the relay deliver them first, or run migrate again with --rewrite-events', kind;
    end if;
    execute format('drop function if exists [emit] (text, text, text, %s, jsonb)', kind);
    execute format('alter table {event} alter column payload type [payload] using %s',
      case when '[payload]' = 'bytea' then 'convert_to(cast(payload as text), ''UTF8'')'
           when kind = 'bytea' then 'cast(convert_from(payload, ''UTF8'') as [payload])'
           else 'cast(cast(payload as text) as [payload])' end);
  end if;
end $outbox$;
)";

// Dead letters hold what the outbox holds.
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
end $outbox$;
)";

// Without a schema in the options the names of a script mean what the session makes of them.
constexpr const char* kGuardNames = R"(do $outbox$ begin
  if exists (select 1 from pg_class where relnamespace = pg_my_temp_schema()
             and relname in ('[name]', '[prefix]_retry', '[prefix]_dead', '[prefix]_relay', '[prefix]_shard', '[prefix]_meta')) then
    raise exception 'this session has temporary tables with the names of the outbox; run this script in another session';
  end if;
  if (select relnamespace from pg_class where oid = to_regclass('{event}')) <> to_regnamespace(quote_ident(current_schema())) then
    raise exception 'the outbox is in another schema than the one where this session creates tables; set "table" to SCHEMA.[name] in the options';
  end if;
end $outbox$;
)";

// Companions of a newer version, of another outbox, or of one of two outboxes.
constexpr const char* kGuardOwner = R"(do $outbox$ declare version integer; owner text; begin
  if to_regclass('{meta}') is null then
    return;
  end if;
  execute 'select version from {meta}' into version;
  if version > [version] then
    raise exception 'the tables have version %, this relay knows [version]: use a newer outbox-relay', version;
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
end $outbox$;
)";

// CREATE SCHEMA asks for a right on the database even where the schema is there.
constexpr const char* kSchema = R"(do $outbox$ begin
  if not exists (select 1 from pg_namespace where nspname = '[schema]') then
    create schema "[schema]";
  end if;
end $outbox$;
)";

// Who has had a transaction open on one of the tables for longest.
constexpr const char* kBlocker = R"(
select cast(a.pid as text), a.application_name, cast(cast(extract(epoch from clock_timestamp() - a.xact_start) as integer) as text)
from pg_locks l join pg_class c on c.oid = l.relation join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'relation' and l.granted and l.pid <> pg_backend_pid() and a.xact_start is not null
  and c.relnamespace = (select oid from pg_namespace where nspname = cast(:schema as text))
  and starts_with(cast(c.relname as text), cast(:prefix as text))
order by a.xact_start limit 1)";

constexpr const char* kFind = R"(
select c.relname, c.relkind, 'column', a.attname
from pg_class c left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = (select oid from pg_namespace where nspname = cast(:schema as text))
  and c.relname = any (cast(:names as text[]))
union all
select c.relname, c.relkind, 'index', i.relname
from pg_class c join pg_index x on x.indrelid = c.oid join pg_class i on i.oid = x.indexrelid
where c.relnamespace = (select oid from pg_namespace where nspname = cast(:same as text))
  and c.relname = any (cast(:again as text[])))";

// Its payload is of the column's type, whatever that is. The body names no function and no operator, and the table with
// its schema, so nothing in it depends on the caller's search path. A search_path of its own would also hold for the
// triggers that the application has on its outbox, which may rely on the caller's.
constexpr const char* kEmit = R"(do $outbox$ begin
  execute format('create or replace function [emit]
    (topic text, key text, type text, payload %s, headers jsonb default null) returns bigint language sql as $function$
      insert into %s (topic, aggregate_id, event_type, payload, headers) values ($1, $2, $3, $4, $5) returning id
    $function$',
    (select format_type(atttypid, null) from pg_attribute
     where attrelid = '{event}'::regclass and attname = 'payload'),
    (select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.oid = '{event}'::regclass));
end $outbox$;
)";

// Named by the table's oid: a channel belongs to the whole database.
constexpr const char* kWakeUp = R"(do $outbox$ begin
  create or replace function [wake_up] () returns trigger language plpgsql
    set search_path = pg_catalog, pg_temp as $function$ begin
    perform pg_notify('outbox_' || tg_relid, '');
    return null;
  end $function$;
  if not exists (select 1 from pg_trigger where tgrelid = '{event}'::regclass and tgname = '[trigger]') then
    create trigger "[trigger]" after insert on {event} for each statement execute function [wake_up] ();
  end if;
end $outbox$;
)";

constexpr const char* kNoWakeUp = R"(do $outbox$ begin
  if exists (select 1 from pg_trigger where tgrelid = '{event}'::regclass and tgname = '[trigger]') then
    drop trigger "[trigger]" on {event};
    drop function [wake_up] ();
  end if;
end $outbox$;
)";

std::string Filled(const sql::Tables& t, const SchemaOptions& options, const std::string& sql) {
  const std::string shards = std::to_string(std::max(1U, options.shards));
  const std::string rival = t.event_name == t.prefix ? t.prefix + "_event" : t.prefix;
  return t.In(sql::Fill(sql, {{"[schema]", t.schema},
                              {"[rival]", t.Quote(rival)},
                              {"[dot]", t.schema.empty() ? "" : '"' + t.schema + "\"."},
                              {"[prefix]", t.prefix},
                              {"[name]", t.event_name},
                              {"[version]", std::to_string(sql::kSchemaVersion)},
                              {"[initial]", shards},
                              {"[shards]", shards},
                              {"[payload]", options.payload},
                              {"[rewrite]", options.rewrite_events ? "true" : "false"},
                              {"[emit]", t.emit},
                              {"[trigger]", t.prefix + kWakeUpTrigger},
                              {"[wake_up]", t.Quote(t.prefix + kWakeUpTrigger)}}));
}

// What follows the tables.
std::string Rest(const SchemaOptions& options) {
  std::string sql = kMeta;
  if (options.shards > 0) sql += kReshard;
  sql += kShards;
  if (!options.payload.empty()) sql += kChangePayload;
  sql += kFollowPayload;
  sql += kEmit;
  sql += options.wake_up ? kWakeUp : kNoWakeUp;
  return sql + kVersion;
}

sql::FoundTables Found(sql::Statements& db, const sql::Tables& t, const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "{" : ",") + name;
  sql::FoundTables found;
  for (const sql::Row& row : db.Run({kFind, {t.schema, list + "}", t.schema, list + "}"}})) {
    sql::FoundTable& table = found[row[0].value_or("")];
    table.is_table = row[1] == "r" || row[1] == "p";
    if (row[3]) (row[2] == "index" ? table.indexes : table.columns).insert(*row[3]);
  }
  return found;
}

sql::FoundTables Found(sql::Statements& db, const sql::Tables& t, const std::vector<sql::Table>& wanted) {
  std::vector<std::string> names;
  names.reserve(wanted.size());
  for (const sql::Table& table : wanted) names.push_back(table.name);
  return Found(db, t, names);
}

// Returns the row of the meta table; version 0 = there is none yet.
sql::Meta RequireFree(sql::Statements& db, const sql::Tables& t, const sql::FoundTables& found) {
  const auto meta_table = found.find(t.prefix + "_meta");
  if (meta_table == found.end()) return {};
  const std::string outbox = meta_table->second.columns.contains("outbox") ? "outbox" : "null";
  const sql::Rows rows = db.Run({t.In("select version, shards, " + outbox + " from {meta}"), {}});
  if (rows.empty()) return {};
  sql::Meta meta{sql::ToNumber(rows[0][0]), sql::ToNumber(rows[0][1]), rows[0][2]};
  sql::RequireKnownVersion(meta);
  std::vector<std::string> others;
  for (const auto& [name, table] : Found(db, t, sql::Rivals(t, meta.outbox, false)))
    if (sql::LooksLikeOutbox(table)) others.push_back(name);
  sql::RequireFree(t, meta, others, false);
  return meta;
}

std::string PayloadType(sql::Statements& db, const std::string& table) {
  const sql::Rows rows =
      db.Run({"select format_type(atttypid, null) from pg_attribute where attrelid ="
              " cast(cast(:table as text) as regclass) and attname = 'payload' and not attisdropped",
              {table}});
  return rows.empty() ? "" : rows[0][0].value_or("");
}

bool HasTrigger(sql::Statements& db, const sql::Tables& t) {
  return !db.Run({"select 1 from pg_trigger where tgrelid = cast(cast(:table as text) as regclass) and tgname ="
                  " cast(:name as text)",
                  {t.event, t.prefix + kWakeUpTrigger}})
              .empty();
}

// How many rows a change of the payload would rewrite, and what it does to them.
std::string Rewriting(sql::Statements& db, const std::string& table, const std::string& type) {
  constexpr long long kCounted = 1'000'000;
  const long long rows = sql::ToNumber(
      db.Run({"select count(*) from (select 1 from " + table + " limit " + std::to_string(kCounted + 1) + ") l", {}})
          .at(0)[0]);
  return ": rewrites " + (rows > kCounted ? "more than " + std::to_string(kCounted) : std::to_string(rows)) +
         " rows under an exclusive lock; " +
         (type == "jsonb"
              ? "their bytes change: jsonb keeps neither blanks, nor the order of members, nor a member that"
                " is there twice"
              : "their bytes stay");
}

// An explicit type of the payload for the outbox, and the outbox's own for the dead letters.
std::vector<sql::Step> PayloadSteps(sql::Statements& db, const sql::Tables& t, const SchemaOptions& options,
                                    const sql::FoundTables& found) {
  if (!found.contains(t.event_name)) return {};
  std::vector<sql::Step> steps;
  const std::string is = PayloadType(db, t.event), becomes = options.payload.empty() ? is : options.payload;
  if (is != becomes)
    steps.push_back({"change the type of " + t.event_name + ".payload from " + is + " to " + becomes +
                         Rewriting(db, t.event, becomes),
                     Filled(t, options, kChangePayload)});
  const std::string dead_is = found.contains(t.prefix + "_dead") ? PayloadType(db, t.dead) : becomes;
  if (dead_is != becomes)
    steps.push_back({"change the type of " + t.prefix + "_dead.payload from " + dead_is + " to " + becomes +
                         Rewriting(db, t.dead, becomes),
                     Filled(t, options, kFollowPayload)});
  return steps;
}

}  // namespace

std::vector<sql::Table> Wanted(const sql::Tables& t, const std::string& payload) {
  return {
      {t.event_name,
       {{"id", "bigint generated by default as identity primary key"},
        {"event_id", "uuid not null default gen_random_uuid()"},
        {"topic", "text not null"},
        {"aggregate_id", "text"},
        {"event_type", "text not null"},
        {"payload", payload},
        {"headers", "jsonb"},
        {"created_at", "timestamptz not null default now()"}},
       kQueue},
      // next_try NULL = blocked, or, where remove_at is not NULL, delivered: the database did not let the row go, and its
      // removal is tried again then. event_id beside row_id: after a TRUNCATE ... RESTART IDENTITY ids come again.
      {t.prefix + "_retry",
       {{"row_id", "bigint primary key"},
        {"event_id", "uuid not null"},
        {"aggregate_id", "text"},
        {"attempts", "integer not null"},
        {"next_try", "timestamptz"},
        {"remove_at", "timestamptz"},
        {"first_failed", "timestamptz not null"},
        {"last_failed", "timestamptz not null"},
        {"reason", "text not null"},
        {"error", "text not null"}},
       kUpdated,
       // By a hash: an index takes no key of some kilobytes. See the reader for what the sum is good for.
       {{t.prefix + "_retry_hash", "(hashtext(aggregate_id), (row_id + 0))"},
        {t.prefix + "_retry_turn", "(next_try, row_id)"},
        {t.prefix + "_retry_remove", "(remove_at) where remove_at is not null"}},
       {t.prefix + "_retry_key", t.prefix + "_retry_due"}},
      {t.prefix + "_dead",
       {{"row_id", "bigint primary key"},
        {"event_id", "uuid not null"},
        {"topic", "text not null"},
        {"aggregate_id", "text"},
        {"event_type", "text not null"},
        {"payload", payload},
        {"headers", "jsonb"},
        {"created_at", "timestamptz not null"},
        {"attempts", "integer not null"},
        {"first_failed", "timestamptz not null"},
        {"died_at", "timestamptz not null"},
        {"reason", "text not null"},
        {"error", "text not null"}},
       ""},
      {t.prefix + "_relay", {{"relay_id", "text primary key"}, {"expires", "timestamptz not null"}}, kUpdated},
      {t.prefix + "_shard",
       {{"shard", "integer primary key"},
        {"owner", "text"},
        {"token", "bigint not null default 0"},
        {"state", "text not null default 'free'"},
        {"lost", "integer not null default 0"},
        {"suspect", "bigint"},
        {"suspect_token", "bigint"},
        {"suspect_owners", "integer not null default 0"}},
       kUpdated},
      // Its one row is also the lock under which leases change hands.
      {t.prefix + "_meta",
       {{"only_row", "integer primary key default 1 check (only_row = 1)"},
        {"version", "integer not null"},
        {"shards", "integer not null"},
        {"outbox", "text"}},
       kUpdated},
  };
}

std::string PrintSchema(const sql::Tables& t, const SchemaOptions& options) {
  CheckOptions(options);
  std::string sql = t.schema.empty() ? kGuardNames : kSchema;
  sql += kGuardOwner;
  for (const sql::Table& table : Wanted(t, options.payload.empty() ? "text" : options.payload)) {
    sql += sql::CreateTable(t, table) + ";\n";
    if (table.name == t.event_name) continue;
    sql::FoundTable original;
    for (const auto& [column, type] : table.columns)
      if (sql::IsOriginal(t, table, column)) original.columns.insert(column);
    original.columns.insert("event_id");  // of all original retry tables but SQLite's
    for (const std::string& index : table.obsolete_indexes) original.indexes.insert(index);
    for (const sql::Step& step : sql::Upgrade(t, table, original, kIfNeeded)) sql += step.sql + ";\n";
  }
  return Filled(t, options, sql + Rest(options));
}

namespace {

std::vector<sql::Step> Steps(Client& client, const sql::Tables& t, const SchemaOptions& options) {
  CheckOptions(options);
  auto wanted = Wanted(t, options.payload.empty() ? "text" : options.payload);
  const sql::FoundTables found = Found(client, t, wanted);
  // Dead letters hold what the outbox holds, also where the application made it.
  if (options.payload.empty() && found.contains(t.event_name)) wanted = Wanted(t, PayloadType(client, t.event));
  sql::RequireCompanions(t, wanted, found);
  const sql::Meta meta = RequireFree(client, t, found);
  std::vector<sql::Step> steps{{"", Filled(t, options, kSchema)}};
  for (sql::Step& step : sql::TableSteps(t, wanted, found, kDialect))
    steps.push_back({std::move(step.what), step.sql + ";\n"});
  const auto add = [&](const std::string& what, const char* sql) { steps.push_back({what, Filled(t, options, sql)}); };
  add("", kMeta);
  if (options.shards > 0)
    add(meta.shards > 0 && meta.shards != options.shards
            ? "change the number of shards from " + std::to_string(meta.shards) + " to " +
                  std::to_string(options.shards)
            : "",
        kReshard);
  add("", kShards);
  for (sql::Step& step : PayloadSteps(client, t, options, found)) steps.push_back(std::move(step));
  add("", kEmit);
  const bool told = found.contains(t.event_name) && HasTrigger(client, t);
  if (told != options.wake_up)
    add(std::string(options.wake_up ? "create" : "drop") + " trigger " + t.prefix + kWakeUpTrigger + " on " +
            t.event_name,
        options.wake_up ? kWakeUp : kNoWakeUp);
  else if (told)
    add("", kWakeUp);  // its function may be an earlier one
  add(meta.version > 0 && meta.version < sql::kSchemaVersion
          ? "record version " + std::to_string(sql::kSchemaVersion) + " in " + t.prefix + "_meta"
          : "",
      kVersion);
  return steps;
}

std::string Blocker(Client& client, const sql::Tables& t) {
  const sql::Rows rows = client.Run({kBlocker, {t.schema, t.prefix}});
  if (rows.empty()) return "";
  return "The oldest of them is of process " + rows[0][0].value_or("?") + " (" + rows[0][1].value_or("") + "), for " +
         rows[0][2].value_or("?") + " s already. ";
}

}  // namespace

std::vector<std::string> PlanSchema(Client& client, const sql::Tables& t, const SchemaOptions& options) {
  return sql::Phrases(Steps(client, t, options));
}

void ApplySchema(Client& client, const sql::Tables& t, const SchemaOptions& options, Millis timeout) {
  const auto change = [&] {
    client.Script("begin");
    try {
      // Two that run at once would both find nothing and one of them fail; "if not exists" does not lock.
      client.Script("select pg_advisory_xact_lock(hashtext('outbox-relay migrate'))");
      // The names are all qualified. Without a search path no function or operator is another one than the server's.
      if (!t.schema.empty()) client.Script("set local search_path = pg_catalog, pg_temp");
      client.Script("set local lock_timeout = " + std::to_string(sql::kLockWait.count()));
      std::string sql;
      for (const sql::Step& step : Steps(client, t, options)) sql += step.sql;
      client.Script(sql);
      client.Script("commit");
    } catch (const Error&) {
      client.RollBack();
      throw;
    }
  };
  sql::TryForLocks(timeout, change, [&] { return Blocker(client, t); });
}

}  // namespace outbox::postgres
