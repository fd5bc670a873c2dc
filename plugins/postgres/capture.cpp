#include "postgres/capture.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "sql/sql_template.hpp"

namespace outbox::postgres {
namespace {

// The mapped columns as the catalogue describes them. `base` is the type beneath all domains, or '' if that type is not
// built in; `kind_of` is an OUTBOX_COLUMN_... value. The copy of a column that holds neither times nor bytes has the
// type text, which can represent every type. `unsettled` is true if the text that the trigger writes depends on
// settings of the session.
constexpr const char* kLook = R"(
  mapped (place, name, copy, role) as (values [mapped]),
  described as (
    select m.place, m.name, m.copy, m.role, a.attnum is not null as present, not a.attnotnull as nullable,
      format_type(a.atttypid, a.atttypmod) as type, b.typmod, b.typtype,
      case when b.typnamespace = cast('pg_catalog' as regnamespace) then cast(b.typname as text) else '' end as base,
      cast(b.typname as text) as base_name,
      row_number() over (partition by m.copy order by m.place) = 1 and m.copy is not null as first
    from mapped m
    left join pg_attribute a on a.attrelid = coalesce([source], [event]) and a.attnum > 0 and not a.attisdropped
      and cast(a.attname as text) = case when [source] is null then coalesce(m.copy, 'payload') else m.name end
    left join lateral (
      with recursive d (typname, typnamespace, typtype, typbasetype, typtypmod, typmod) as (
        select t.typname, t.typnamespace, t.typtype, t.typbasetype, t.typtypmod, a.atttypmod from pg_type t
        where t.oid = a.atttypid
        union all select t.typname, t.typnamespace, t.typtype, t.typbasetype, t.typtypmod, d.typtypmod
        from d join pg_type t on t.oid = d.typbasetype where d.typtype = 'd')
      select * from d where typtype <> 'd') b on true),
  kinds as (
    select d.*, case when base in ('int2', 'int4', 'int8', 'oid') then 3 when base = 'bool' then 4 when base = 'float8' then 5
        when base = 'float4' then 6 when base = 'numeric' then 7 when base = 'timestamp' then 8 when base = 'timestamptz' then 9
        when base = 'date' then 10 when base = 'bytea' then 1 when base in ('json', 'jsonb') then 2
        when base in ('text', 'varchar', 'bpchar', 'char', 'name', 'uuid', 'xml', 'inet', 'cidr', 'macaddr', 'macaddr8')
          or typtype in ('e', 'r') or base_name = 'citext' then 0 else 11 end as kind_of
    from described d),
  look as (
    select k.*, case kind_of when 8 then 'timestamp without time zone' when 9 then 'timestamp with time zone'
        when 10 then 'date' when 1 then 'bytea' else 'text' end as copy_type,
      case when base in ('bytea', 'json', 'jsonb') then base else 'text' end as payload_type,
      kind_of in (5, 6, 11) or typtype = 'r' or (role = 'payload' and kind_of in (8, 9, 10))
        or (role in ('key', 'partition') and kind_of in (1, 8, 9, 10)) as unsettled
    from kinds k))";

// A payload that is a time has the kind OUTBOX_COLUMN_OTHER, because it is written as the server shows it and not in
// the form of its own kind.
constexpr const char* kTypesSql = R"(with [look]
select cast(present as text), type, case role when 'payload' then payload_type else copy_type end,
  cast(case when role = 'payload' and kind_of in (8, 9, 10) then 11 else kind_of end as text), cast(nullable as text),
  cast(case when kind_of = 7 and typmod >= 4 then greatest((((typmod - 4) & 2047) # 1024) - 1024, 0)
    when kind_of = 8 then coalesce(typmod, -1) when kind_of = 9 then 6 else -1 end as text),
  cast(kind_of in (3, 4, 5, 6, 8, 9, 10) or base = 'uuid' or typtype = 'e'
    or kind_of = 7 and typmod >= 4 or base in ('varchar', 'bpchar') and typmod between 4 and 1028 as text)
from look order by place)";

constexpr const char* kNamesSql = R"(
select cast(a.attname as text) from pg_attribute a where a.attrelid = [source] and a.attnum > 0 and not a.attisdropped
order by a.attnum)";

// The source of the trigger's function, in which `n` or `new` is the inserted row. Values whose types are not built in
// are written by their output functions: a cast to text may call a function that anybody has defined, and that function
// would run with the privileges of the owner of the trigger's function. char(n) is also written by its output function,
// because a cast would remove its trailing blanks.
constexpr const char* kMade = R"([look],
  level as (select c.relkind = 'p' or c.relispartition as each_row from pg_class c where c.oid = [source]),
  texts as (
    select k.*, x.value, case when base not in ('', 'bpchar') then format('cast(%s as pg_catalog.text)', x.value)
      else format('case when %s is distinct from null then pg_catalog.format(''%%s'', %1$s) end', x.value) end as text
    from look k cross join level v
      cross join lateral (select format('%s.%I', case when v.each_row then 'new' else 'n' end, k.name) as value) x),
  copied as (
    select t.*, case when case role when 'payload' then payload_type else copy_type end = 'text' then text else value end
      as copied
    from texts t),
  made as (
    select v.each_row, (select bool_or(l.unsettled) from look l) as pinned,
      format(E'\nbegin\n  -- [mark]\n  insert into %s (aggregate_id, topic, event_type, payload%s)\n'
          '  select coalesce(%s), '''', '''', %s%s%s;\n  return null;\nend\n',
        (select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.oid = [event]),
        (select string_agg(format(', %I', c.copy), '' order by c.place) from copied c where c.first),
        coalesce((select string_agg(c.text, ', ' order by c.role desc) from copied c where c.role in ('key', 'partition')),
          'null'),
        (select c.copied from copied c where c.role = 'payload'),
        (select string_agg(', ' || c.copied, '' order by c.place) from copied c where c.first),
        case when v.each_row then '' else E'\n  from outbox_rows n' end) as source
    from level v))";

constexpr const char* kPayloadTypeSql = "(with [look] select payload_type from look where role = 'payload')";

// Returns whether the function, which is found by its name, and its trigger on the captured table have to be created
// or replaced.
constexpr const char* kPlanSql = R"(with [made],
  there as (select p.oid, p.prosrc, p.prosecdef, cardinality(p.proconfig) > 1 as pinned from pg_proc p
    where p.oid = [function oid])
select case when t.oid is null then 'create' when t.prosrc is distinct from m.source or not t.prosecdef
    or t.pinned is distinct from m.pinned then 'replace' end,
  case when g.oid is null then 'create' when (g.tgtype & 1 = 1) <> m.each_row or g.tgfoid is distinct from t.oid
    then 'replace' end
from made m left join there t on true left join pg_trigger g on g.tgrelid = [source] and g.tgname = '[name]')";

constexpr const char* kRequire = R"(
  set local quote_all_identifiers = off;
  if [source] is null then
    raise exception 'table [shown source], whose inserted rows are to be sent, is missing; correct "table" in the options';
  end if;
  if (select relkind not in ('r', 'p') from pg_class where oid = [source]) then
    raise exception '[shown source] is not a table: no trigger can copy its rows; name the table itself in "table" of the options';
  end if;
  if (select count(distinct relnamespace) from pg_class where oid in ([source], [event])) > 1 then
    raise exception '[shown source] and [name] are in different schemas; set "table" to SCHEMA.[shown source] in the options';
  end if;
  wrong := (with [look] select string_agg(name, ', ' order by place) from look where not present);
  if wrong is not null then
    raise exception 'table [shown source] has no column %; correct "columns" or "record_columns" in the options', wrong;
  end if;
)";

constexpr const char* kAddCopies = R"(do $outbox$ declare wrong text; one record; begin [require]
  for one in with [look] select o.name as into_table, l.copy, l.copy_type from look l
      cross join (values ('{event}', [event]), ('{dead}', cast('{dead}'::regclass as oid))) o (name, oid)
      where l.first and not exists (select 1 from pg_attribute a where a.attrelid = o.oid and not a.attisdropped
        and cast(a.attname as text) = l.copy) order by o.name, l.place loop
    execute format('alter table %s add column %I %s', one.into_table, one.copy, one.copy_type);
  end loop;
end $outbox$)";

// A trigger of the wrong level is replaced. A trigger for each statement is wrong on a partitioned table, because it
// does not run for rows that are inserted directly into a partition, and on a partition, because it does not run for
// rows that are inserted through the parent table.
constexpr const char* kTrigger = R"(do $outbox$ declare wrong text; one record; begin [require]
  wrong := (with [look] select string_agg(format('%s is %s, expected %s', l.copy, format_type(a.atttypid, null), l.copy_type),
      ', ' order by l.place) from look l join pg_attribute a on a.attrelid = [event] and cast(a.attname as text) = l.copy
    where l.first and format_type(a.atttypid, null) <> l.copy_type);
  if wrong is not null then
    raise exception 'columns of [name] are not of the type that copies of [shown source] need: %; drop these copies from {event} and {dead} once the waiting rows are delivered, and run migrate again', wrong;
  end if;
  with [made] select * into one from made;
  execute format('create or replace function [function] () returns trigger language plpgsql security definer'
    ' set search_path = pg_catalog, pg_temp %s as %L',
    case when one.pinned then 'set datestyle = ''ISO, YMD'' set intervalstyle = ''postgres'' set timezone = ''UTC'''
      ' set extra_float_digits = 1 set bytea_output = ''hex'' set lc_monetary = ''C''' else '' end, one.source);
  revoke all on function [function] () from public;
  if exists (select 1 from pg_trigger g where g.tgrelid = [source] and g.tgname = '[name]'
      and ((g.tgtype & 1 = 1) <> one.each_row or g.tgfoid <> [function oid])) then
    drop trigger "[name]" on {source};
  end if;
  if not exists (select 1 from pg_trigger g where g.tgrelid = [source] and g.tgname = '[name]') then
    execute format('create trigger "[name]" after insert on {source} %s execute function [function] ()',
      case when one.each_row then 'for each row' else 'referencing new table as outbox_rows for each statement' end);
  end if;
end $outbox$)";

constexpr const char* kEnd = "drop trigger if exists \"[name]\" on {source}; drop function if exists [function] ();";
// DROP TRIGGER holds its lock until the commit. So every row that is committed before the recorded position is
// captured, and no row that is committed after it. A second run records no position, because rows that were inserted
// between the two runs are not captured.
constexpr const char* kNotedEnd = R"(do $outbox$ begin
  if exists (select 1 from pg_trigger where tgrelid = [source] and tgname = '[name]') then
    drop trigger "[name]" on {source};
    execute format('comment on table {event} is %L', '[ended] ' || pg_current_wal_insert_lsn());
  end if;
end $outbox$)";
constexpr const char* kEnded = "outbox-relay capture ended at";
constexpr const char* kWhereEnded = "select coalesce(obj_description([event], 'pg_class'), '')";

// In a partitioned table each partition has a trigger of its own, which may be disabled there.
constexpr const char* kStateSql = R"(with [look],
  source as (select c.oid, c.relkind, c.relispartition from pg_class c where c.oid = [source]),
  called as (select p.oid, p.prosrc, p.prosecdef, p.proowner from pg_proc p where p.oid = [function oid]),
  ours as (select g.tgrelid, g.tgenabled, g.tgtype, g.tgname, g.tgparentid from pg_trigger g join called f on f.oid = g.tgfoid),
  captured as (select c.oid, c.relforcerowsecurity, c.relnamespace from pg_class c where c.oid = [event])
select cast((select relkind from source) as text),
  cast((select json_agg(a.attname order by a.attnum) from pg_attribute a join source s on s.oid = a.attrelid
    where a.attnum > 0 and not a.attisdropped) as text),
  cast(exists (select 1 from ours o join source s on s.oid = o.tgrelid where o.tgname = '[name]') as text),
  (select string_agg(cast(cast(o.tgrelid as regclass) as text), ', ' order by o.tgrelid) from ours o
    where o.tgparentid = 0 and o.tgrelid is distinct from (select oid from source)),
  (select string_agg(cast(cast(o.tgrelid as regclass) as text), ', ' order by o.tgrelid) from ours o
    where o.tgenabled not in ('O', 'A') and (o.tgrelid = (select oid from source) or o.tgrelid in
      (select r.relid from pg_partition_tree(cast([source] as regclass)) r))),
  coalesce((select case when (o.tgtype & 1 = 1) = (s.relkind = 'p' or s.relispartition) and f.prosecdef
      then substring(f.prosrc from 'outbox-relay capture [0-9]+ [0-9a-f]+') end
    from source s join ours o on o.tgrelid = s.oid and o.tgname = '[name]' cross join called f), ''),
  (select cast(quote_ident(pg_get_userbyid(f.proowner)) as text) from called f cross join captured c
    where not (has_table_privilege(f.proowner, c.oid, 'INSERT') and has_schema_privilege(f.proowner, c.relnamespace, 'USAGE'))),
  (select cast(quote_ident(r.rolname) as text) from called f cross join captured c join pg_roles r on r.oid = f.proowner
    where c.relforcerowsecurity and not (r.rolsuper or r.rolbypassrls)),
  (select string_agg(format('column %I is %s, expected %s', a.attname, format_type(a.atttypid, null),
      case l.role when 'payload' then l.payload_type else l.copy_type end), '; ' order by l.place)
    from look l join pg_attribute a on a.attrelid = [event] and not a.attisdropped
      and cast(a.attname as text) = coalesce(l.copy, 'payload')
    where exists (select 1 from source) and l.present and (l.first or l.role = 'payload')
      and format_type(a.atttypid, null) <> case l.role when 'payload' then l.payload_type else l.copy_type end),
  (select string_agg(format('%s', a.attname), ', ') from look l join pg_attribute a on a.attrelid = [source]
      and cast(a.attname as text) = l.name where a.attgenerated = 'v'))";

const char* RoleName(std::int32_t role) {
  switch (role) {
    case OUTBOX_ROLE_KEY:
      return "key";
    case OUTBOX_ROLE_PAYLOAD:
      return "payload";
    case OUTBOX_ROLE_PARTITION:
      return "partition";
    default:
      return "";
  }
}

constexpr std::string_view kHex = "0123456789ABCDEF";

bool IsPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == ' ' || static_cast<unsigned char>(c) >= 0x80;
}

// Returns `open`, the text and `quote`. If the text contains special characters, returns `escaping`, the text and
// `quote`, where each special character is replaced by `escape` and two hexadecimal digits.
std::string Escaped(std::string_view text, std::string_view open, std::string_view escaping, std::string_view escape,
                    char quote) {
  std::string inner;
  bool plain = true;
  for (const char c : text) {
    if (IsPlain(c)) {
      inner += c;
      continue;
    }
    plain = false;
    const auto byte = static_cast<unsigned char>(c);
    inner.append(escape) += kHex[byte >> 4U];
    inner += kHex[byte & 15U];
  }
  return std::string(plain ? open : escaping) + inner + quote;
}

// Returns the text as an SQL literal, in which special characters are escaped with \x.
std::string Literal(std::string_view text) { return Escaped(text, "'", "E'", "\\x", '\''); }

std::string Mapped(const sql::Source& source) {
  std::string rows;
  for (const sql::MappedColumn& column : source.columns) {
    const std::string place = std::to_string(&column - source.columns.data() + 1);
    rows += (rows.empty() ? "(" : ", (") + place + ", " + Literal(column.name) + ", " +
            (column.copy.empty() ? "cast(null as text)" : Literal(column.copy)) + ", '" + RoleName(column.role) + "')";
  }
  return rows;
}

// Returns SQL for the oid of the table. If the schema is known, the catalogue is queried, because to_regclass fails for
// a user who lacks USAGE on the schema, and `check` has to report the missing privilege as a finding.
std::string Oid(const sql::Tables& t, const std::string& table) {
  if (t.schema.empty()) return "to_regclass('" + t.Quote(table) + "')";
  return "(select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = '" + t.schema +
         "' and c.relname = '" + table + "')";
}

std::string FunctionOid(const sql::Tables& t) {
  if (t.schema.empty()) return "to_regprocedure('" + t.event + " ()')";
  return "(select p.oid from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = '" + t.schema +
         "' and p.proname = '" + t.event_name + "' and p.pronargs = 0)";
}

std::string In(const sql::Tables& t, std::string_view sql) {
  return t.In(sql::Fill(sql, {{"[require]", kRequire},
                              {"[made]", kMade},
                              {"[look]", kLook},
                              {"[mapped]", Mapped(*t.captured)},
                              {"[mark]", t.captured->Mark()},
                              {"[source]", Oid(t, t.captured->table)},
                              {"[event]", Oid(t, t.event_name)},
                              {"[function oid]", FunctionOid(t)},
                              {"[shown source]", t.Shown(t.captured->table)},
                              {"[function]", t.event},
                              {"[name]", t.event_name}}));
}

std::vector<std::string> NamesIn(sql::Statements& db, const sql::Tables& t) {
  std::vector<std::string> names;
  for (const sql::Row& row : db.Run({In(t, kNamesSql), {}})) names.push_back(row[0].value_or(""));
  return names;
}

std::string IsInstead(const std::string& relkind) {
  if (relkind == "r" || relkind == "p") return "";
  return relkind == "v"   ? "a view"
         : relkind == "m" ? "a materialized view"
         : relkind == "f" ? "a foreign table"
                          : "no table";
}

}  // namespace

std::string QuoteColumn(std::string_view name) { return Escaped(name, "\"", "U&\"", "\\00", '"'); }

std::vector<MappedType> FindTypes(sql::Statements& db, const sql::Tables& tables) {
  std::vector<MappedType> types;
  for (const sql::Row& row : db.Run({In(tables, kTypesSql), {}}))
    types.push_back({row[0] == "true", row[1].value_or(""), row[2].value_or(""),
                     static_cast<std::int32_t>(sql::ToNumber(row[3])), row[4] != "false",
                     static_cast<std::int32_t>(sql::ToNumber(row[5])), row[6] == "true"});
  return types;
}

std::vector<MappedType> RequireTypes(sql::Statements& db, const sql::Tables& tables) {
  std::vector<MappedType> types = FindTypes(db, tables);
  for (std::size_t i = 0; i < types.size(); ++i)
    if (!types[i].found) {
      const std::vector<std::string> names = NamesIn(db, tables);
      if (names.empty()) sql::RequireCapture(sql::FindingsOf(tables, {}, false), "PostgreSQL");
      sql::RefuseColumn(tables, tables.captured->columns.at(i), names);
    }
  return types;
}

void AddCopies(std::vector<sql::Table>& wanted, const sql::Tables& tables, const std::vector<MappedType>& types) {
  const auto& columns = tables.captured->columns;
  sql::AddCopies(wanted, tables, [&](const std::string& copy) {
    for (std::size_t i = 0; i < columns.size() && i < types.size(); ++i)
      if (columns[i].copy == copy && types[i].found) return types[i].copy;
    return std::string();
  });
}

std::string PayloadTypeSql(const sql::Tables& tables) { return In(tables, kPayloadTypeSql); }
std::string AddCopiesSql(const sql::Tables& tables) { return In(tables, kAddCopies); }
std::string TriggerSql(const sql::Tables& tables) { return In(tables, kTrigger); }
std::string EndCaptureSql(const sql::Tables& tables) { return In(tables, kEnd); }

std::string NotedEndSql(const sql::Tables& tables) { return In(tables, sql::Fill(kNotedEnd, {{"[ended]", kEnded}})); }

std::string WhereCaptureEnded(sql::Statements& db, const sql::Tables& tables) {
  const std::string said = db.Run({In(tables, kWhereEnded), {}}).at(0)[0].value_or("");
  return said.starts_with(kEnded) ? said.substr(said.rfind(' ') + 1) : "";
}

std::string PlanTrigger(sql::Statements& db, const sql::Tables& tables) {
  const sql::Rows rows = db.Run({In(tables, kPlanSql), {}});
  if (rows.empty()) return "";
  std::string plan;
  if (rows[0][0]) plan = *rows[0][0] + " function " + tables.Shown(tables.event_name) + "()";
  if (rows[0][1])
    plan += (plan.empty() ? "" : " and ") + *rows[0][1] + " trigger " + tables.event_name + " on " +
            tables.Shown(tables.captured->table);
  return plan;
}

sql::CaptureState LookAtCapture(sql::Statements& db, const sql::Tables& tables) {
  const sql::Row row = db.Run({In(tables, kStateSql), {}}).at(0);
  const std::string source = tables.Shown(tables.captured->table);
  sql::CaptureState state;
  state.there = row[0].has_value();
  state.is_instead = IsInstead(row[0].value_or(""));
  if (row[1])
    for (const auto& name : nlohmann::json::parse(*row[1])) state.columns.push_back(name.get<std::string>());
  state.trigger = tables.event_name;
  state.has_trigger = row[2] == "true";
  state.elsewhere = row[3].value_or("");
  if (row[4]) state.enable = In(tables, "alter table {source} enable trigger \"[name]\";");
  state.mark = row[5].value_or("");
  const auto add = [&state](bool error, const std::string& what, const std::string& fix) {
    state.others.push_back({error, what, fix});
  };
  if (row[6])
    add(true,
        "role " + *row[6] + ", which owns function " + tables.event + ", lacks the privileges to insert into " +
            tables.event + ": inserts into " + source + " are refused",
        In(tables, "grant insert on {event} to " + *row[6] + ";") +
            (tables.schema.empty() ? "" : " grant usage on schema \"" + tables.schema + "\" to " + *row[6] + ";"));
  if (row[7])
    add(true,
        "row-level security of " + tables.event + " is forced on role " + *row[7] +
            ", which owns the function of the trigger: inserts into " + source + " may be refused",
        In(tables, "alter table {event} no force row level security;"));
  if (row[8])
    add(true,
        "table " + tables.event + ": " + *row[8] + ": the type of a column of " + source +
            " has changed since its copies in " + tables.event + " were created",
        "if it is the payload column, run: outbox-relay migrate (with --rewrite-events if the outbox is not empty); for"
        " any other column, let the relay deliver the backlog, then drop the copies of the column from " +
            tables.event + " and " + tables.dead + ", and run: outbox-relay migrate");
  if (row[9])
    add(true,
        "table " + source + ": " + *row[9] + " is generated when it is read (VIRTUAL), so the trigger cannot copy it",
        "make it STORED, or take it out of the configuration");
  if (state.has_trigger && row[3])
    add(false, "trigger " + state.trigger + " is also on " + *row[3] + ": rows inserted there are sent too",
        In(tables, "drop trigger \"[name]\" on " + *row[3] + ";"));
  return state;
}

}  // namespace outbox::postgres
