#include "postgres/others.hpp"

#include "postgres/schema.hpp"
#include "sql/others.hpp"

namespace outbox::postgres {
namespace {

using sql::Question;
using sql::Text;

// Common parts of the queries: the tables, the tables that inherit from them or are their partitions, and the columns
// that the relay knows.
constexpr const char* kTables = R"(with recursive ours (oid, kind, shown, quoted) as (values [ours]),
known (kind, name, is_key) as (values [known]),
tree (oid, top, kind, shown, quoted) as (
  select oid, oid, kind, shown, quoted from ours
  union all select i.inhrelid, t.top, t.kind, cast(cast(i.inhrelid as regclass) as text),
    cast(cast(i.inhrelid as regclass) as text) from tree t join pg_inherits i on i.inhparent = t.oid)
)";

constexpr Text kUnlogged{"table [1] is unlogged: a crash of the server deletes all of its rows",
                         "alter table [2] set logged;"};
constexpr const char* kUnloggedSql = R"([tables]
select 'error', t.shown, t.quoted from tree t join pg_class c on c.oid = t.oid where c.relpersistence = 'u')";

// Bits of tgtype: 1 = for each row, 2 = before, 4 = insert, 8 = delete, 16 = update.
constexpr const char* kTriggersSql = R"([tables]
select 'warning', t.shown, quote_ident(g.tgname),
  case when g.tgtype & 2 <> 0 then 'before ' else 'after ' end || concat_ws(' or ',
    case when g.tgtype & 4 <> 0 then 'insert' end, case when g.tgtype & 8 <> 0 then 'delete' end,
    case when g.tgtype & 16 <> 0 then 'update' end),
  case when g.tgtype & 3 <> 3 then 'an error in it makes the write fail'
    when g.tgtype & 8 <> 0 then 'if its function returns NULL, as with "return new", a delivered row stays'
    else 'if its function returns NULL, nothing is written, and its changes to a row are sent' end,
  'drop trigger ' || quote_ident(g.tgname) || ' on ' || t.quoted ||
    '; -- not necessary if its function always returns OLD for a delete and NEW for an insert, and can never fail'
from tree t join pg_trigger g on g.tgrelid = t.oid
where not g.tgisinternal and g.tgenabled in ('O', 'A') and g.tgparentid = 0
  and g.tgtype & case t.kind when 'event' then 12 else 28 end <> 0
  and not (t.kind = 'event' and g.tgname = '[wake_up]')
order by t.shown, g.tgname)";

// The relay deletes events, and moves them to the dead letters, by statements inside WITH. PostgreSQL refuses such
// statements on a table that has a rule, for most kinds of rules.
constexpr Text kRule{"rule [2] on [3] of table [1]: [4]", "drop rule [2] on [5];"};
constexpr const char* kRulesSql = R"([tables]
select case when t.kind = 'event' and r.ev_type = '3' then 'warning' else 'error' end, t.shown, quote_ident(r.rulename),
  case r.ev_type when '2' then 'update' when '3' then 'insert' else 'delete' end,
  case when t.kind = 'event' and r.ev_type = '3' then 'inserted events may end up in another table, and `dead requeue` is refused'
    else 'statements of the relay have another effect, or are refused' end, t.quoted
from tree t join pg_rewrite r on r.ev_class = t.oid
where r.rulename <> '_RETURN' and r.ev_enabled in ('O', 'A')
  and r.ev_type in (case t.kind when 'event' then '3' else '2' end, '3', '4')
order by t.shown, r.rulename)";

constexpr const char* kKeysToTableSql = R"([tables]
select 'warning', t.shown, quote_ident(k.conname), cast(cast(k.conrelid as regclass) as text),
  case k.confdeltype when 'c' then ')" OUTBOX_CASCADES R"(' when 'n' then ')" OUTBOX_CHANGES R"('
    when 'd' then ')" OUTBOX_CHANGES R"(' else ')" OUTBOX_CANNOT_DELETE R"(' end,
  'alter table ' || cast(cast(k.conrelid as regclass) as text) || ' drop constraint ' || quote_ident(k.conname) || ';'
from tree t join pg_constraint k on k.confrelid = t.oid
where k.contype = 'f' and k.conparentid = 0 and k.conrelid not in (select oid from tree) order by t.shown, k.conname)";

constexpr const char* kKeysOfTableSql = R"([tables]
select 'warning', t.shown, quote_ident(k.conname), cast(cast(k.confrelid as regclass) as text),
  case k.confdeltype when 'c' then 'cascade' when 'n' then 'set null' else 'set default' end,
  'alter table ' || t.quoted || ' drop constraint ' || quote_ident(k.conname) || ';'
from tree t join pg_constraint k on k.conrelid = t.oid
where k.contype = 'f' and k.conparentid = 0 and k.confdeltype in ('c', 'n', 'd') order by t.shown, k.conname)";

// An insert of the relay into a companion table sets all columns that the relay knows, and no others.
constexpr const char* kUnfilledSql = R"([tables]
select case o.kind when 'event' then 'warning' else 'error' end, o.shown, a.attname,
  case o.kind when 'event' then ')" OUTBOX_INSERTERS R"(' else 'the relay' end,
  'alter table ' || o.quoted || ' alter column ' || quote_ident(a.attname) ||
    case when o.kind = 'event' and a.attname = 'event_id' then ' set default gen_random_uuid();'
      when o.kind = 'event' and a.attname = 'created_at' then ' set default now();' else ' drop not null;' end
from ours o join pg_attribute a on a.attrelid = o.oid and a.attnum > 0 and not a.attisdropped
where a.attnotnull and not a.atthasdef and a.attidentity = '' and a.attgenerated = ''
  and case when o.kind = 'event' then a.attname not in
    ('id', 'topic', 'aggregate_id', 'event_type', 'payload', 'headers')
    else not exists (select 1 from known k where k.kind = o.kind and k.name = a.attname) end
order by o.shown, a.attnum)";

constexpr const char* kGeneratedSql = R"([tables]
select 'warning', o.shown, a.attname,
  'alter table ' || o.quoted || ' alter column ' || quote_ident(a.attname) || ' drop expression;'
from ours o join pg_attribute a on a.attrelid = o.oid and not a.attisdropped
join known k on k.kind = o.kind and k.name = a.attname where a.attgenerated <> '' order by o.shown, a.attnum)";

constexpr const char* kNullableSql = R"([tables]
select 'warning', o.shown, a.attname,
  'alter table ' || o.quoted || ' alter column ' || quote_ident(a.attname) || ' set not null;'
from ours o join pg_attribute a on a.attrelid = o.oid and not a.attisdropped
where o.kind = 'event' and not a.attnotnull and a.attname in ('event_id', 'topic', 'event_type', 'created_at')
order by a.attnum)";

// Unique indexes and exclusion constraints. An index that contains the row's own identity refuses nothing.
constexpr const char* kUniqueSql = R"([tables]
select 'warning', t.shown, cast(cast(i.indexrelid as regclass) as text),
  regexp_replace(pg_get_indexdef(i.indexrelid), '^.*? USING ', ''),
  coalesce((select 'alter table ' || t.quoted || ' drop constraint ' || quote_ident(k.conname) from pg_constraint k
            where k.conindid = i.indexrelid and k.contype in ('u', 'x') limit 1),
    'drop index ' || cast(cast(i.indexrelid as regclass) as text)) || ';'
from tree t join pg_index i on i.indrelid = t.oid
where (i.indisunique or i.indisexclusion) and not i.indisprimary and not exists (
  select 1 from unnest(i.indkey) as c (attnum) join pg_attribute a on a.attrelid = t.oid and a.attnum = c.attnum
  where a.attname in ('id', 'event_id') or exists
    (select 1 from known k where k.kind = t.kind and k.kind <> 'event' and k.name = a.attname and k.is_key))
order by t.shown, 3)";

constexpr const char* kChecksSql = R"([tables]
select 'warning', o.shown, quote_ident(k.conname),
  'alter table ' || o.quoted || ' drop constraint ' || quote_ident(k.conname) || ';'
from ours o join pg_constraint k on k.conrelid = o.oid
where k.contype = 'c' and o.kind not in ('event', 'meta') order by o.shown, k.conname)";

constexpr const char* kKeysSql = R"([tables]
select 'error', o.shown, n.name, 'alter table ' || o.quoted || ' add primary key (' || quote_ident(n.name) || ');'
from ours o join known n on n.kind = o.kind and n.is_key
where o.kind <> 'event' and not exists (
  select 1 from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
  where i.indrelid = o.oid and a.attname = n.name and i.indnkeyatts = 1 and i.indisunique and i.indisvalid
    and i.indimmediate and i.indpred is null)
order by o.shown)";

constexpr Text kInvalid{"index [2] on table [1] is not valid: it is not used", "reindex index [2];"};
constexpr const char* kInvalidSql = R"([tables]
select 'warning', t.shown, cast(cast(i.indexrelid as regclass) as text)
from tree t join pg_index i on i.indrelid = t.oid where not (i.indisvalid and i.indisready) order by t.shown, 3)";

constexpr Text kReplicated{
    "table [1] is in the publication [2] and has no replica identity: PostgreSQL refuses to change it",
    "alter table [3] replica identity [4];"};
constexpr const char* kReplicatedSql = R"([tables]
select 'error', o.shown, quote_ident(min(p.pubname)), o.quoted,
  case when exists (select 1 from pg_index i where i.indrelid = o.oid and i.indisprimary) then 'default' else 'full' end
from ours o join pg_class c on c.oid = o.oid join pg_namespace n on n.oid = c.relnamespace
join pg_publication_tables t on t.schemaname = n.nspname and t.tablename = c.relname
join pg_publication p on p.pubname = t.pubname
where (p.pubdelete or (p.pubupdate and o.kind <> 'event')) and (c.relreplident = 'n'
  or (c.relreplident = 'd' and not exists (select 1 from pg_index i where i.indrelid = o.oid and i.indisprimary))
  or (c.relreplident = 'i' and not exists (select 1 from pg_index i where i.indrelid = o.oid and i.indisreplident)))
group by o.oid, o.shown, o.quoted order by o.shown)";

constexpr Text kChild{
    "table [2] inherits from [1]: the relay cannot detect open transactions that write to it directly",
    "alter table [2] no inherit [3];"};
constexpr const char* kChildrenSql = R"([tables]
select 'warning', o.shown, cast(cast(i.inhrelid as regclass) as text), o.quoted
from ours o join pg_class c on c.oid = o.oid join pg_inherits i on i.inhparent = o.oid
where c.relkind = 'r' order by o.shown, 3)";

constexpr Text kPart{"table [1] is a part of [2]: the relay does not read the rows in its other parts",
                     "name the whole table in 'table' of /storage/options: [2]"};
constexpr const char* kPartsSql = R"([tables]
select 'warning', o.shown, cast(cast(i.inhparent as regclass) as text)
from ours o join pg_inherits i on i.inhrelid = o.oid where o.kind = 'event')";

constexpr Text kElsewhere{
    "table [1] was found in schema [2] and the outbox in schema [3]: the search path of the connection"
    " decides which tables belong together",
    "name the schema in 'table' of /storage/options: \"[3].[4]\"; then run: outbox-relay migrate"};
constexpr const char* kElsewhereSql = R"([tables]
select 'warning', o.shown, n.nspname, m.nspname, d.relname
from ours o join pg_class c on c.oid = o.oid join pg_namespace n on n.oid = c.relnamespace
cross join ours e join pg_class d on d.oid = e.oid join pg_namespace m on m.oid = d.relnamespace
where e.kind = 'event' and n.oid <> m.oid order by o.shown)";

constexpr Text kNoVacuum{
    "table [1] is not vacuumed (autovacuum_enabled): delivered rows stay in its pages, and reading slows down",
    "alter table [2] reset (autovacuum_enabled);"};
constexpr const char* kNoVacuumSql = R"([tables]
select 'warning', t.shown, t.quoted from tree t join pg_class c on c.oid = t.oid
where exists (select 1 from unnest(c.reloptions) as o (text) where o.text in ('autovacuum_enabled=false', 'autovacuum_enabled=off'))
order by t.shown)";

constexpr Text kCollation{
    "column [1].[2] has a collation under which different keys are equal ([3]): a key may wait for a different one",
    "alter table [4] alter column [2] type text collate \"C\";"};
constexpr const char* kCollationSql = R"([tables]
select 'warning', o.shown, quote_ident(a.attname), l.collname, o.quoted
from ours o join pg_attribute a on a.attrelid = o.oid and not a.attisdropped
join pg_collation l on l.oid = a.attcollation
where a.attname in ('aggregate_id', 'relay_id', 'owner') and not l.collisdeterministic order by o.shown, a.attnum)";

// This query checks the settings of other roles. The checks of the server cover the relay's own session.
constexpr Text kUnsafe{
    "commits of [1] are visible before they are safe on disk (synchronous_commit=off): a crash of the server may undo"
    " rows that were already sent",
    "[2]"};
constexpr const char* kUnsafeSql = R"(
select 'warning', coalesce('role ' || quote_ident(r.rolname), 'every role') ||
    case when s.setdatabase <> 0 then ' in this database' else '' end,
  case when s.setrole = 0 then 'alter database ' || quote_ident(current_database())
    else 'alter role ' || quote_ident(r.rolname) ||
      case when s.setdatabase <> 0 then ' in database ' || quote_ident(current_database()) else '' end end ||
    ' reset synchronous_commit;'
from pg_db_role_setting s left join pg_roles r on r.oid = s.setrole
where s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
  and 'synchronous_commit=off' = any(s.setconfig)
  and (s.setrole = 0 or r.rolname <> current_user) and current_setting('synchronous_commit') <> 'off')";

constexpr Question kQuestions[] = {
    {kUnlogged, kUnloggedSql},
    {sql::kTrigger, kTriggersSql},
    {kRule, kRulesSql},
    {sql::kKeyToTable, kKeysToTableSql},
    {sql::kKeyOfTable, kKeysOfTableSql},
    {sql::kUnfilled, kUnfilledSql},
    {sql::kGenerated, kGeneratedSql},
    {sql::kNullable, kNullableSql},
    {sql::kUniqueIndex, kUniqueSql},
    {sql::kCheckConstraint, kChecksSql},
    {sql::kNoKey, kKeysSql},
    {kInvalid, kInvalidSql},
    {kReplicated, kReplicatedSql},
    {kChild, kChildrenSql},
    {kPart, kPartsSql},
    {kElsewhere, kElsewhereSql},
    {kNoVacuum, kNoVacuumSql},
    {kCollation, kCollationSql},
    {kUnsafe, kUnsafeSql},
};

// The rows are moved by a single statement, so that an error leaves everything unchanged.
constexpr const char* kInsertAgain =
    "begin; with outbox_low as (delete from {event} where id < 1 returning *) insert into {event} (" OUTBOX_COPIED
    ") select " OUTBOX_COPIED " from outbox_low order by id; commit;" OUTBOX_COPIES;

}  // namespace

std::vector<Finding> FindLowIds(sql::Statements& db, const sql::Tables& tables) {
  return sql::FindLowIds(db, tables, kInsertAgain);
}

void RequireNoLowIds(sql::Statements& db, const sql::Tables& tables) {
  sql::RequireNone(FindLowIds(db, tables), "PostgreSQL");
}

std::vector<Finding> FindOthers(sql::Statements& db, const sql::Tables& tables, const sql::FoundTables& found) {
  std::string ours, known;
  for (const sql::Table& table : Wanted(tables, "text")) {
    const auto there = found.find(table.name);
    if (there == found.end() || !there->second.is_table) continue;
    ours += (ours.empty() ? "(cast(" : ", (cast(") + there->second.number + " as oid), '" + table.kind + "', '" +
            tables.Shown(table.name) + "', '" + tables.Quote(table.name) + "')";
    // The first column of each table is its key.
    for (const sql::Column& column : table.columns)
      known += (known.empty() ? "('" : ", ('") + table.kind + "', '" + column.name + "', " +
               (&column == &table.columns.front() ? "true)" : "false)");
  }
  if (ours.empty()) return {};
  return sql::Ask(
      db, kQuestions,
      {{"[tables]", kTables}, {"[ours]", ours}, {"[known]", known}, {"[wake_up]", tables.prefix + kWakeUpTrigger}});
}

}  // namespace outbox::postgres
