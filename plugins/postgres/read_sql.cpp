#include "postgres/read_sql.hpp"

namespace outbox::postgres {
namespace {

std::string Replaced(std::string text, const std::string& place, const std::string& with) {
  for (auto at = text.find(place); at != std::string::npos; at = text.find(place, at + with.size()))
    text.replace(at, place.size(), with);
  return text;
}

// Properties of the read as a whole. [plain] is true if there is one shard and no failure, so that every row may be
// sent. [mixed] is true if there are several shards or failures. The statement contains SQL for both cases, and the
// server executes only that of the case that applies.
const char* const kAbout = R"(with s as materialized (
  select m.shards,
    exists (select 1 from {retry}) as troubled,
    (select token from {shard} where shard = $6 and owner is not null) as token,
    coalesce((select bool_or(pg_visible_in_snapshot(x::text::xid8, pg_current_snapshot()))
              from unnest($5::bigint[]) x), false) as ended
  from {meta} m)
)";
const char* const kPlain = "(select s.shards = 1 and not s.troubled and not s.ended from s)";
const char* const kMixed = "(select (s.shards > 1 or s.troubled) and not s.ended from s)";

// SQL expression for the shard of the row `e`.
const char* const kHashed =
    "mod(coalesce(hashtext(e.aggregate_id), hashint8(e.id)) & 2147483647, (select s.shards from s))";
// Condition: the row `e` belongs to this shard and may be sent now. A failure whose row was deleted by hand holds back
// no other row, and neither does a delivered event whose row could not be removed (remove_at). A delivered event is
// itself never due.
const char* const kOurs = R"((
    ((select s.shards from s) = 1 or [hashed] = $6)
    and (not (select s.troubled from s) or
      not exists (select 1 from {retry} r where r.row_id = e.id and r.event_id = e.event_id
                  and (r.next_try is null or r.next_try > clock_timestamp()))
      and not [behind]))
)";
// Condition: the row `e` belongs to this shard, has never failed, and is not queued behind a failed event of its key.
const char* const kUnfailed = R"((
    ((select s.shards from s) = 1 or [hashed] = $6)
    and (not (select s.troubled from s) or
      not exists (select 1 from {retry} r where r.row_id = e.id and r.event_id = e.event_id)
      and not [behind]))
)";
// Condition: the row is queued behind a failed event of its key. Only the index on the hash of the key can be used for
// this condition, regardless of the statistics, because no other index contains the expression row_id + 0.
const char* const kBehind = R"(exists (select 1 from {retry} r
                  where hashtext(r.aggregate_id) = hashtext(e.aggregate_id) and r.row_id + 0 < e.id
                  and r.remove_at is null
                  and r.aggregate_id = e.aggregate_id
                  and (select true from {event} h where h.id = r.row_id and h.event_id = r.event_id)))";
// The number of attempts of a row: at least 1 if the row has failed, even if an operator has reset it to 0.
const char* const kAttemptsOf = R"(case when (select s.troubled from s)
    then coalesce((select greatest(r.attempts, 1) from {retry} r where r.row_id = e.id and r.event_id = e.event_id), 0) else 0 end)";

// Returns the ids of late rows in one value, because almost all of these rows are outstanding. All ids are returned,
// even if they do not fit into the batch: with a limit, outstanding rows would hide the others.
const char* const kLateRows = R"(
select 1, null::bigint, null::uuid, null::text, null::text, null::text, null::[payload], null::text, null::timestamptz, 0,
  (select string_agg(int8send(e.id), '') from {event} e where e.id > $1 and e.id <= $2 and [plain])[no copies]
union all select 1, null, null, null, null, null, null, null, null, 0,
  (select string_agg(int8send(e.id), '') from {event} e where e.id > $1 and e.id <= $2 and [mixed] and [unfailed])[no copies]
)";

// Returns a limited number of failures, in the order in which they fell due. The next read continues after them, and
// begins again at the end. The look-ups go from the failures to the outbox, never in the other direction, because the
// oldest live row of the outbox may lie behind a million deleted ones. The due times are compared with the time of the
// statement, because the server uses no index for a time that changes while the statement runs.
const char* const kDueRows = R"(
union all (select 5, count(*), null, null, cast((array_agg(d.row_id))[count(*)] as text), null, null, null, max(d.next_try), 0,
    string_agg(int8send(d.row_id), '') filter (where d.go)[no copies]
  from (select l.row_id, l.next_try, coalesce((select [ours] from {event} e
                                               where e.id = l.row_id and e.event_id = l.event_id and e.id <= $2), false) as go
        from (select r.row_id, r.event_id, r.next_try from {retry} r
              where r.next_try <= statement_timestamp() and (r.next_try, r.row_id) > ($7, $8) and [mixed]
              order by r.next_try, r.row_id limit $9) l) d)
)";

// Returns new rows. A relay almost always reads rows of the first SELECT only, where each column that is not NULL costs
// time.
const char* const kNewRows = R"(
union all (select case when [heavy] then 2 end, [light columns], null::integer, null[copies]
  from {event} e where e.id > $2 and [plain] order by e.id limit $3)
union all (select case when not u.ours then 3 when u.weight <= $4 then 0 else 2 end, u.id, u.event_id, u.aggregate_id,
    u.event_type, u.topic, case when u.ours and u.weight <= $4 then u.payload end, case when u.ours then u.headers end,
    u.created_at, u.attempts, null[copies of u]
  from (select [columns], [weight] as weight, [attempts] as attempts, [ours] as ours[named copies]
        from {event} e where e.id > $2 and [mixed] order by e.id limit $3) u
  order by u.id)
)";

// Returns new rows, with a limit for the sum of their sizes. A row that is larger than the limit counts as the limit:
// it fits alone, and the next row is the first that does not fit.
const char* const kNewRowsWeighed = R"(
union all (select case when not w.ours then 3 when w.upto <= $4 then 0 else 2 end, w.id, w.event_id, w.aggregate_id,
    w.event_type, w.topic, case when w.ours and w.upto <= $4 then w.payload end, case when w.ours then w.headers end,
    w.created_at, w.attempts, null[copies of w]
  from (select v.*, sum(v.size) over (order by v.id rows unbounded preceding) as upto
        from (select u.*, case when u.ours then least(u.weight, $4) else 0 end as size
              from (select [columns], [weight] as weight, [attempts] as attempts, [ours] as ours[named copies]
                    from {event} e where e.id > $2[upto] and not (select s.ended from s) order by e.id limit $3) u) v) w
  where w.upto - w.size <= $4 order by w.id)
)";

// Returns the transactions that may still insert late rows, as "transaction=id+id,...", and the next transaction id.
// This expression has to be evaluated after a snapshot was taken.
const char* const kLockersNow =
    R"((with l as materialized (select locktype, database, relation, virtualtransaction as v,
                                           transactionid, mode from pg_locks where granted)
   select string_agg(a.v || '=' || coalesce(
       (select string_agg(x.transactionid::text, '+') from l x
        where x.locktype = 'transactionid' and x.v = a.v and x.mode = 'ExclusiveLock'), ''), ',')
   from l a where a.locktype = 'relation' and a.mode = 'RowExclusiveLock' and a.relation = '{event}'::regclass
     and a.database = [database]),
  pg_snapshot_xmax(pg_current_snapshot())::text)";

// Returns the last id that was drawn from the sequence, or 0 if that id is not known: the user lacks the privilege to
// read the sequence, or sessions cache ids.
const char* const kDrawn = R"(
select coalesce((select case when q.seqcache = 1 and q.seqincrement > 0 and not q.seqcycle
    and has_sequence_privilege(q.seqrelid, 'select, usage') then pg_sequence_last_value(q.seqrelid) end
  from pg_sequence q where q.seqrelid = to_regclass(pg_get_serial_sequence('{event}', 'id'))), 0))";

const char* const kTailRow = R"(
union all (select 4, (select s.token from s), null, [lockers],
  nullif(current_setting('transaction_read_only'), 'off'), null, case when (select s.ended from s) then 'ended' end,
  null, (select s.troubled::integer from s), null[no copies])
)";

// Reads only new rows, for a relay that has a backlog and needs no rows below its position. The statement returns no
// rows if there are failed events or, unless it reads one of several shards, if there are several shards.
const char* const kAlone = R"(with s as materialized (
  select m.shards, exists (select 1 from {retry}) as troubled,
    (select token from {shard} where shard = $1 and owner is not null) as token
  from {meta} m)
(select case when [heavy] then 2 end, [light columns], null::integer, [place][copies]
  from {event} e where e.id > $2 and [range] and (select not ([not alone]) from s) order by e.id limit $3)
union all (select 4, (select s.token from s), null, null, null, nullif(current_setting('transaction_read_only'), 'off'),
  null, (select case when s.troubled then 'troubled' when [not alone] then 'shared' end from s), null, null, null[no copies])
)";

const char* const kByIds = R"(with s as materialized (select exists (select 1 from {retry}) as troubled)
select case when w.upto <= $2 then 0 else 2 end, w.id, w.event_id, w.aggregate_id, w.event_type, w.topic,
  case when w.upto <= $2 then w.payload end, w.headers, w.created_at, w.attempts[copies that fit]
from (select v.*, sum(v.size) over (order by v.id rows unbounded preceding) as upto
      from (select [columns], [attempts] as attempts, least([weight], $2) as size[named copies]
            from {event} e where e.id = any($1) order by e.id) v) w
where w.upto - w.size <= $2 order by w.id
)";

std::string Complete(std::string text, const sql::Tables& tables, const EventColumns& columns) {
  text = Replaced(text, "[plain]", kPlain);
  text = Replaced(text, "[mixed]", kMixed);
  text = Replaced(text, "[ours]", kOurs);
  text = Replaced(text, "[unfailed]", kUnfailed);
  text = Replaced(text, "[behind]", kBehind);
  text = Replaced(text, "[hashed]", kHashed);
  text = Replaced(text, "[attempts]", kAttemptsOf);
  text = Replaced(text, "[columns]", columns.Select());
  text = Replaced(text, "[light columns]", columns.Select("$4"));
  text = Replaced(text, "[heavy]", columns.Exceeds("$4"));
  text = Replaced(text, "[lockers]", kLockersNow);
  text = Replaced(text, "[weight]", columns.Size());
  text = Replaced(text, "[payload]", columns.IsBytea() ? "bytea" : "text");
  text = Replaced(text, "[database]", columns.database);
  // The copies of a captured row's columns follow all other columns, including kIds.
  text = Replaced(text, "[copies]", columns.Copies(", [copy]"));
  text = Replaced(text, "[named copies]", columns.Copies(", [copy] as copy_[n]"));
  text = Replaced(text, "[copies of u]", columns.Copies(", case when u.ours and u.weight <= $4 then u.copy_[n] end"));
  text = Replaced(text, "[copies of w]", columns.Copies(", case when w.ours and w.upto <= $4 then w.copy_[n] end"));
  text =
      Replaced(text, "[copies that fit]",
               columns.copies.empty() ? "" : ", null" + columns.Copies(", case when w.upto <= $2 then w.copy_[n] end"));
  text = Replaced(text, "[no copies]", columns.Copies(", null::[type]"));
  text = Replaced(text, "[place]", columns.has_places ? "e.ctid" : "null::tid");
  return tables.In(text);
}

}  // namespace

std::string ReadSql(const sql::Tables& tables, const EventColumns& columns, bool weighed) {
  const std::string text =
      std::string(kAbout) + kLateRows + kDueRows + (weighed ? kNewRowsWeighed : kNewRows) + kTailRow;
  return Complete(Replaced(text, "[upto]", ""), tables, columns);
}

std::string RescanSql(const sql::Tables& tables, const EventColumns& columns) {
  std::string text = Replaced(kNewRowsWeighed, "[upto]", " and e.id <= $7");
  text = Replaced(text, "[ours]", "[unfailed]");
  return Complete(std::string(kAbout) + kLateRows + text + kTailRow, tables, columns);
}

std::string RowsAloneSql(const sql::Tables& tables, const EventColumns& columns) {
  std::string text = Replaced(kAlone, "[range]", "true");
  return Complete(Replaced(text, "[not alone]", "s.shards > 1 or s.troubled"), tables, columns);
}

std::string OurRowsAloneSql(const sql::Tables& tables, const EventColumns& columns) {
  std::string text = Replaced(kAlone, "[range]", std::string("e.id <= $5 and ") + kHashed + " = $1");
  return Complete(Replaced(text, "[not alone]", "s.troubled"), tables, columns);
}

std::string LockersSql(const sql::Tables& tables, const EventColumns& columns) {
  return Complete("select 4, null, null, [lockers]", tables, columns);
}

std::string DrawnSql(const sql::Tables& tables) { return tables.In(kDrawn); }

std::string LateSql(const sql::Tables& tables, const EventColumns& columns) {
  return Complete(kByIds, tables, columns);
}

}  // namespace outbox::postgres
