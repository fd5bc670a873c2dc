#include "postgres/schema.hpp"

#include <algorithm>
#include <array>

#include "sql/fill.hpp"

namespace outbox::postgres {
namespace {

constexpr std::uint32_t kMostShards = 256;
constexpr std::array<std::string_view, 5> kTypes{"", "text", "bytea", "json", "jsonb"};

// Rows come and go, and the table is small against what passed through it: vacuum by number, not by share, so that index
// entries of delivered rows do not pile up.
const char* const kQueue =
    "autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0,"
    " autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000";
// Updated in place: room on the page keeps an update out of the index.
const char* const kUpdated = "fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200";

std::string Create(const sql::Tables& t, const Table& table) {
  std::string sql = "create table if not exists " + t.Quote(table.name) + " (";
  const char* separator = "\n  ";
  for (const auto& [name, type] : table.columns) {
    sql.append(separator).append(name).append(" ").append(type);
    separator = ",\n  ";
  }
  return sql + "\n)" + (table.storage.empty() ? "" : " with (" + table.storage + ")") + ";\n";
}

void CheckWish(const SchemaWish& wish) {
  if (std::find(kTypes.begin(), kTypes.end(), wish.payload) == kTypes.end())
    throw Error(OUTBOX_BAD_CONFIG, "the payload is text, bytea, json or jsonb; not '" + wish.payload + "'");
  if (wish.shards > kMostShards)
    throw Error(OUTBOX_BAD_CONFIG, "at most " + std::to_string(kMostShards) + " shards are possible");
}

constexpr const char* kMeta = R"(create index if not exists "[prefix]_retry_key" on {retry} (aggregate_id, row_id);
create index if not exists "[prefix]_retry_due" on {retry} (next_try);
insert into {meta} (version, shards) values ([version], [initial]) on conflict do nothing;
do $outbox$ begin
  if (select version from {meta}) > [version] then
    raise exception 'the tables have version %, this relay knows [version]: use a newer outbox-relay',
      (select version from {meta});
  end if;
end $outbox$;
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

// An existing column follows an explicit wish; this rewrites the table, under an exclusive lock. The function of before
// would make calls with a plain literal ambiguous.
constexpr const char* kChangePayload = R"(do $outbox$ declare kind text; begin
  kind := (select format_type(atttypid, null) from pg_attribute
           where attrelid = '{event}'::regclass and attname = 'payload');
  if kind <> '[payload]' then
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
  kind := (select format_type(atttypid, null) from pg_attribute
           where attrelid = '{event}'::regclass and attname = 'payload');
  was := (select format_type(atttypid, null) from pg_attribute
          where attrelid = '{dead}'::regclass and attname = 'payload');
  if was <> kind then
    execute format('alter table {dead} alter column payload type %s using %s', kind,
      case when kind = 'bytea' then 'convert_to(cast(payload as text), ''UTF8'')'
           when was = 'bytea' then format('cast(convert_from(payload, ''UTF8'') as %s)', kind)
           else format('cast(cast(payload as text) as %s)', kind) end);
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

// Its payload is of the column's type, whatever that is.
constexpr const char* kEmit = R"(do $outbox$ begin
  execute format('create or replace function [emit]
    (topic text, key text, type text, payload %s, headers jsonb default null) returns bigint language sql as $function$
      insert into {event} (topic, aggregate_id, event_type, payload, headers) values ($1, $2, $3, $4, $5) returning id
    $function$', (select format_type(atttypid, null) from pg_attribute
                  where attrelid = '{event}'::regclass and attname = 'payload'));
end $outbox$;
)";

// Named by the table's oid: a channel belongs to the whole database.
constexpr const char* kWakeUp = R"(do $outbox$ begin
  create or replace function [wake_up] () returns trigger language plpgsql as $function$ begin
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

}  // namespace

std::vector<Table> Wanted(const sql::Tables& t, const std::string& payload) {
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
      // next_try NULL = blocked. event_id beside row_id: after a TRUNCATE ... RESTART IDENTITY ids come again.
      {t.prefix + "_retry",
       {{"row_id", "bigint primary key"},
        {"event_id", "uuid not null"},
        {"aggregate_id", "text"},
        {"attempts", "integer not null"},
        {"next_try", "timestamptz"},
        {"first_failed", "timestamptz not null"},
        {"last_failed", "timestamptz not null"},
        {"reason", "text not null"},
        {"error", "text not null"}},
       kUpdated},
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
        {"shards", "integer not null"}},
       kUpdated},
  };
}

std::string PrintSchema(const sql::Tables& t, const SchemaWish& wish) {
  CheckWish(wish);
  std::string sql;
  if (!t.schema.empty()) sql += kSchema;
  for (const Table& table : Wanted(t, wish.payload.empty() ? "text" : wish.payload)) sql += Create(t, table);
  sql += kMeta;
  if (wish.shards > 0) sql += kReshard;
  sql += kShards;
  if (!wish.payload.empty()) sql += kChangePayload;
  sql += kFollowPayload;
  sql += kEmit;
  sql += wish.wake_up ? kWakeUp : kNoWakeUp;
  const std::string shards = std::to_string(std::max(1U, wish.shards));
  return t.In(sql::Fill(sql, {{"[schema]", t.schema},
                              {"[prefix]", t.prefix},
                              {"[version]", std::to_string(sql::kSchemaVersion)},
                              {"[initial]", shards},
                              {"[shards]", shards},
                              {"[payload]", wish.payload},
                              {"[emit]", t.emit},
                              {"[trigger]", t.prefix + kWakeUpTrigger},
                              {"[wake_up]", t.Quote(t.prefix + kWakeUpTrigger)}}));
}

void ApplySchema(Wire& wire, const sql::Tables& t, const SchemaWish& wish) {
  // Two that run at once would both find nothing and one of them fail; "if not exists" does not lock.
  const std::string lock = "select pg_advisory_xact_lock(hashtext('outbox-relay migrate'));\n";
  wire.Script(lock + PrintSchema(t, wish));  // one message is one transaction
}

}  // namespace outbox::postgres
