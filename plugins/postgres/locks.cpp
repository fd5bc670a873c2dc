#include "postgres/locks.hpp"

#include "sql/sql_template.hpp"

namespace outbox::postgres {
namespace {

constexpr const char* kHolder = R"(
select concat('pid ', a.pid, ', user ' || a.usename, ', application ' || nullif(a.application_name, ''),
  ', in a transaction since ' || cast(date_trunc('second', a.xact_start at time zone 'UTC') as text) || ' UTC')
from [locks] l join pg_stat_activity a on a.pid = l.pid limit 1)";
constexpr const char* kRowLocks = R"(
(select l.pid from {event} e join pg_locks l on l.locktype = 'transactionid' and l.granted and l.transactionid = e.xmax
where e.id = cast(:id as bigint)))";
constexpr const char* kTableLocks = R"(
(select l.pid from pg_locks l join pg_database d on d.oid = l.database and d.datname = current_database()
where l.locktype = 'relation' and l.relation = cast('{event}' as regclass) and l.pid <> pg_backend_pid()
  and l.mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
order by l.granted desc))";

std::string Holder(sql::Statements& db, const sql::Tables& tables, const char* locks, std::vector<sql::Value> values) {
  const sql::Rows found = db.Run({tables.In(sql::Fill(kHolder, {{"[locks]", locks}})), std::move(values)});
  return found.empty() ? std::string() : found[0][0].value_or("");
}

}  // namespace

std::string TableHolder(sql::Statements& db, const sql::Tables& tables) { return Holder(db, tables, kTableLocks, {}); }

std::string RowHolder(sql::Statements& db, const sql::Tables& tables, long long id) {
  return Holder(db, tables, kRowLocks, {std::to_string(id)});
}

}  // namespace outbox::postgres
