#include "postgres/row_security.hpp"

#include "sql/others.hpp"
#include "sql/sql_template.hpp"

namespace outbox::postgres {
namespace {

// Finds policies that may hide rows. A policy lets every row pass if its expression is the constant true. Permissive
// policies are combined with OR, and at least one of them is needed; restrictive policies are combined with AND. UPDATE
// and DELETE must also pass the policies for SELECT, which are checked for every table anyway. [ours] is the list of
// the tables.
constexpr const char* kHides = R"(
with ours (oid, shown, quoted, needs) as (values [ours]),
needed as (select o.*, n.command from ours o
  cross join lateral unnest(string_to_array(o.needs, ',')) as n (command) where o.oid is not null),
applied as (select n.oid, n.command, p.polpermissive as permits,
    case when n.command = 'INSERT' then coalesce(e.checked, e.used, e.none) = 'true'
         when n.command = 'UPDATE' then coalesce(e.used, e.none) = 'true' and coalesce(e.checked, e.used, e.none) = 'true'
         else coalesce(e.used, e.none) = 'true' end as opens
  from needed n join pg_policy p on p.polrelid = n.oid
    and p.polcmd in ('*', case n.command when 'SELECT' then 'r' when 'INSERT' then 'a' when 'UPDATE' then 'w' else 'd' end)
  cross join lateral (select pg_get_expr(p.polqual, p.polrelid) as used, pg_get_expr(p.polwithcheck, p.polrelid) as checked,
    case when p.polpermissive then '' else 'true' end as none) e
  where exists (select 1 from unnest(p.polroles) as r (role)
                where r.role = 0 or pg_has_role(cast(r.role as oid), 'USAGE')))
select n.shown, n.quoted, cast(quote_ident(current_user) as text),
  lower(string_agg(n.command, ', ' order by n.command desc)), cast(bool_or(s.restricts) as text)
from needed n cross join lateral (select
    exists (select 1 from applied a where a.oid = n.oid and a.command = n.command and a.permits and a.opens) as permits,
    exists (select 1 from applied a where a.oid = n.oid and a.command = n.command and not a.permits and not a.opens)
      as restricts) s
where row_security_active(n.oid) and (not s.permits or s.restricts)
group by n.shown, n.quoted order by n.shown)";

// Finds names that do not denote a table and, for views, the tables from which they are derived.
constexpr const char* kDerived = R"(
with ours (oid, shown, quoted, needs) as (values [ours])
select o.shown, o.quoted,
  case c.relkind when 'v' then 'a view' when 'm' then 'a materialized view' when 'f' then 'a foreign table'
    else 'no table' end,
  coalesce((select string_agg(distinct cast(cast(d.refobjid as regclass) as text), ', ') from pg_rewrite w
    join pg_depend d on d.classid = cast('pg_rewrite' as regclass) and d.objid = w.oid
      and d.refclassid = cast('pg_class' as regclass) and d.refobjid <> o.oid
    where w.ev_class = o.oid), '')
from ours o join pg_class c on c.oid = o.oid where c.relkind not in ('r', 'p') order by o.shown)";

std::string Ours(const sql::Tables& tables) {
  std::string ours;
  for (const auto& [table, rights] : sql::RelayRights(tables)) {
    std::string needs;
    for (const std::string& right : rights) needs += (needs.empty() ? "" : ",") + right;
    const std::string quoted = tables.Quote(table);
    ours += sql::Fill("[comma](cast(to_regclass('[quoted]') as oid), '[shown]', '[quoted]', '[needs]')",
                      {{"[comma]", ours.empty() ? "" : ", "},
                       {"[quoted]", quoted},
                       {"[shown]", tables.Shown(table)},
                       {"[needs]", needs}});
  }
  return ours;
}

Finding Hidden(const sql::Row& row) {
  const std::string &table = *row[0], &quoted = *row[1], &role = *row[2];
  const bool restricted = row[4] == "true";
  return {true,
          "table " + table + " may hide rows from role " + role + " (row-level security, for " + *row[3] +
              "): hidden events are never sent, and no error reports it",
          restricted ? "alter role " + role + " bypassrls;"
                     : "drop policy if exists outbox_relay on " + quoted + "; create policy outbox_relay on " + quoted +
                           " to " + role + " using (true) with check (true);"};
}

Finding Derived(const sql::Row& row, const sql::Tables& tables) {
  const bool outbox = row[1] == tables.event;
  const std::string below = row[3].value_or("");
  std::string fix = outbox
                        ? "name the table itself in 'table' of /storage/options" + (below.empty() ? "" : ": " + below)
                        : "drop or rename " + *row[1] + ", then " + sql::kMigrate;
  if (row[2] == "a foreign table") fix = "connect the relay to the server that has the table";
  return sql::FindingOf(sql::kDerived, {"error", row[0], row[2], fix});
}

}  // namespace

std::vector<Finding> FindHiddenRows(sql::Statements& db, const sql::Tables& tables) {
  const std::string ours = Ours(tables);
  const auto answers =
      db.RunTogether({{sql::Fill(kDerived, {{"[ours]", ours}}), {}}, {sql::Fill(kHides, {{"[ours]", ours}}), {}}});
  std::vector<Finding> findings;
  for (const sql::Row& row : answers.at(0)) findings.push_back(Derived(row, tables));
  for (const sql::Row& row : answers.at(1)) findings.push_back(Hidden(row));
  return findings;
}

void RequireAllRows(sql::Statements& db, const sql::Tables& tables) {
  sql::RequireNone(FindHiddenRows(db, tables), "PostgreSQL");
}

}  // namespace outbox::postgres
