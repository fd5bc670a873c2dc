#include "postgres/reader.hpp"

#include <algorithm>
#include <charconv>

#include "postgres/array.hpp"

namespace outbox::postgres {
namespace {

// A sweep without being asked, now and then while the relay keeps up: it finds rows that became due in a way it cannot
// know of, as when an operator deletes the event that its key waits for.
constexpr auto kSweepEvery = std::chrono::seconds(60);
constexpr long long kMostRows = 20'000;  // looked at by one statement
constexpr std::uint64_t kMostBytes = 1 << 30;

enum Kind : std::int64_t { kLate = 0, kRow = 1, kCut = 2, kNotOurs = 3, kTail = 4 };
enum Column : int { kKind, kId, kEventId, kKey, kType, kTopic, kPayload, kHeaders, kCreated, kAttempts };

// Whether a row of `e` is this shard's and may go out now. The parts in brackets are looked at once a statement; with one
// shard and without failures a row costs nothing. A failure whose row somebody has deleted by hand holds nobody back.
std::string Ours(const sql::Tables& t) {
  return "((select s.shards from s) = 1 or mod(coalesce(hashtext(e.aggregate_id), hashint8(e.id)) & 2147483647,"
         " (select s.shards from s)) = $6) and (not (select s.troubled from s) or not exists (select 1 from " +
         t.retry +
         " r where r.row_id = e.id and r.event_id = e.event_id and (r.next_try is null or"
         " r.next_try > clock_timestamp())) and not exists (select 1 from " +
         t.retry + " r where r.aggregate_id = e.aggregate_id and r.row_id < e.id and (select true from " + t.event +
         " h where h.id = r.row_id and h.event_id = r.event_id)))";
}

std::string Attempts(const sql::Tables& t) {
  return "case when (select s.troubled from s) then coalesce((select r.attempts from " + t.retry +
         " r where r.row_id = e.id and r.event_id = e.event_id), 0) else 0 end as attempts";
}

// A row that weighs more than the limit counts as the limit, so that it fits alone and the next one is the first too many.
// $1 low, $2 cursor, $3 rows, $4 bytes, $5 watched transactions, $6 shard.
std::string ReadSql(const sql::Tables& t, const EventColumns& columns) {
  const std::string nulls =
      "null::text, null::text, null::text, null::text, null::" + std::string(columns.IsBytea() ? "bytea" : "text") +
      ", null::text, null::timestamptz, 0";
  return "with s as materialized (select m.shards, exists (select 1 from " + t.retry +
         ") as troubled,"
         " (select token from " +
         t.shard +
         " where shard = $6 and owner is not null) as token,"
         " coalesce((select bool_or(pg_visible_in_snapshot(x::text::xid8, pg_current_snapshot())) from "
         "unnest($5::bigint[]) x), false)"
         " as ended from " +
         t.meta +
         " m)"
         // Late ones: ids only. Almost all of them are in hand.
         " (select 0 as kind, e.id, " +
         nulls + " from " + t.event + " e where e.id > $1 and e.id <= $2 and " + Ours(t) +
         " and not (select s.ended from s) order by e.id)"
         // Due ones below. The outbox is looked into from there, never the other way round: its oldest live row may lie
         // behind a million deleted ones.
         " union all (select 0, d.row_id, " +
         nulls + " from " + t.retry + " d cross join lateral (select e.* from " + t.event +
         " e where e.id = d.row_id offset 0) e where d.next_try <= clock_timestamp() and d.row_id <= $1 and " +
         Ours(t) +
         " and not (select s.ended from s) order by d.row_id limit $3)"
         // New ones, up to one more than fits.
         " union all (select case when not w.ours then 3 when w.upto <= $4 then 1 else 2 end, w.id,"
         " w.event_id, w.aggregate_id, w.event_type, w.topic,"
         " case when w.ours and w.upto <= $4 then w.payload end,"
         " case when w.ours then w.headers end, w.created_at, w.attempts"
         " from (select v.*, sum(v.size) over (order by v.id rows unbounded preceding) as upto"
         " from (select u.*, case when u.ours then least(u.weight, $4) else 0 end as size"
         " from (select " +
         columns.Select() + ", " + Attempts(t) + ", " + columns.Size() + " as weight, " + Ours(t) + " as ours from " +
         t.event +
         " e where e.id > $2 and not (select s.ended from s) order by e.id limit $3) u) v) w"
         " where w.upto - w.size <= $4 order by w.id)"
         // About the read: after its snapshot, who may still bring rows.
         " union all (select 4, (select s.token from s), case when (select s.ended from s) then 'ended' end,"
         " (with l as materialized (select locktype, database, relation, virtualtransaction as v, transactionid, mode "
         "from"
         " pg_locks where granted) select string_agg(a.v || '=' || coalesce((select string_agg(x.transactionid::text, "
         "'+') from"
         " l x where x.locktype = 'transactionid' and x.v = a.v and x.mode = 'ExclusiveLock'), ''), ',') from l a where"
         " a.locktype = 'relation' and a.mode = 'RowExclusiveLock' and a.relation = '" +
         t.event + "'::regclass and a.database = " + columns.database +
         "),"
         " pg_snapshot_xmax(pg_current_snapshot())::text, null, null, null, null, 0)";
}

std::string LateSql(const sql::Tables& t, const EventColumns& columns) {
  return "with s as materialized (select exists (select 1 from " + t.retry +
         ") as troubled)"
         " select case when w.upto <= $2 then 1 else 2 end, w.id, w.event_id, w.aggregate_id,"
         " w.event_type, w.topic, case when w.upto <= $2 then w.payload end, w.headers, w.created_at,"
         " w.attempts from (select v.*, sum(v.size) over (order by v.id rows unbounded preceding) as upto from "
         "(select " +
         columns.Select() + ", " + Attempts(t) + ", least(" + columns.Size() + ", $2) as size from " + t.event +
         " e where e.id = any($1) order by e.id) v) w where w.upto - w.size <= $2 order by w.id";
}

template <class T>
std::string Binary(T number) {
  std::string bytes;
  PutNumber<T>(bytes, number);
  return bytes;
}

// The sum of the rows' weights stays an integer on the server.
std::int32_t ByteLimit(const ReserveRequest& request) {
  return static_cast<std::int32_t>(std::clamp<std::uint64_t>(request.max_bytes(), 1, kMostBytes));
}

// "3/55=741+742,5/9=": transactions and their numbers. Those of 32 bits belong near `next`. The parent's is the lowest.
std::vector<Locker> ParseLockers(std::string_view text, std::string_view next_text) {
  std::uint64_t next = 0;
  std::from_chars(next_text.data(), next_text.data() + next_text.size(), next);
  std::vector<Locker> lockers;
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    std::string_view one = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    const auto equals = std::min(one.find('='), one.size());
    Locker locker{std::string(one.substr(0, equals)), 0};
    for (std::string_view numbers = one.substr(std::min(equals + 1, one.size())); !numbers.empty();) {
      std::uint32_t xid = 0;
      const char* const end = std::from_chars(numbers.data(), numbers.data() + numbers.size(), xid).ptr;
      const auto distance = static_cast<std::int32_t>(xid - static_cast<std::uint32_t>(next));
      const std::uint64_t full = next + static_cast<std::uint64_t>(static_cast<std::int64_t>(distance));
      if (locker.xid == 0 || full < locker.xid) locker.xid = full;
      numbers.remove_prefix(std::min<std::size_t>(static_cast<std::size_t>(end - numbers.data()) + 1, numbers.size()));
    }
    lockers.push_back(std::move(locker));
  }
  return lockers;
}

}  // namespace

Reader::Reader(Wire& wire, const sql::Tables& tables, const EventColumns& columns) : wire_(wire), columns_(columns) {
  wire_.Prepare("read", ReadSql(tables, columns), {kInt8, kInt8, kInt8, kInt4, kInt8Array, kInt4});
  wire_.Prepare("late", LateSql(tables, columns), {kInt8Array, kInt4});
}

void Reader::Read(const Call& call, const ReserveRequest& request, BatchBuilder& batch) {
  batch.CoveredByShard(call.token);
  Shard& shard = shards_[call.shard];
  const auto now = std::chrono::steady_clock::now();
  const bool unasked = shard.caught_up && now - shard.swept > kSweepEvery;
  // A shard gained anew is read from its oldest row: another relay may have left rows behind this position.
  if (request.sweep() || unasked || shard.token != call.token) shard = {call.token, {}, now, false, 1};
  while (Take(call, request, shard, batch) == Next::kAgain) {
    if (!wire_.PastHalf()) continue;
    batch.More();
    return;
  }
}

Reader::Page Reader::Ask(const Call& call, const ReserveRequest& request, const Shard& shard) {
  const Position& at = shard.position;
  Array watched(kInt8);
  for (const std::uint64_t xid : at.Watched()) watched.Add(static_cast<long long>(xid));
  // One more than fits, so that the batch itself tells whether there is more.
  const long long asked = std::min(kMostRows, (request.limit() + 1LL) * shard.stretch);
  const std::string low = Binary<std::int64_t>(at.low()), cursor = Binary<std::int64_t>(at.cursor()),
                    rows = Binary<std::int64_t>(asked), bytes = Binary(ByteLimit(request)), xids = watched.Take(),
                    number = Binary(static_cast<std::int32_t>(call.shard));
  Page page{
      wire_.Execute("read", {{low, true}, {cursor, true}, {rows, true}, {bytes, true}, {xids, true}, {number, true}}),
      0, 0, asked};
  const int count = page.result.rows();
  page.tail = count - 1;
  if (count == 0 || page.result.Number(page.tail, kKind) != kTail)
    throw Error(OUTBOX_INTERNAL, "a read without its last row");
  while (page.fresh < page.tail && page.result.Number(page.fresh, kKind) == kLate) ++page.fresh;
  const Result& r = page.result;
  if (r.IsNull(page.tail, kId) || static_cast<std::uint64_t>(r.Number(page.tail, kId)) != call.token)
    throw Error(OUTBOX_LEASE_LOST, "shard " + std::to_string(call.shard) + " is not leased under this token");
  return page;
}

Reader::Next Reader::Take(const Call& call, const ReserveRequest& request, Shard& shard, BatchBuilder& batch) {
  const Page page = Ask(call, request, shard);
  const Result& r = page.result;
  shard.caught_up = false;
  if (!r.IsNull(page.tail, kEventId)) {
    shard.position.Resume();
    return Next::kAgain;
  }
  // Late rows go out before any new one, and new ones only after all of them.
  if (!AddLate(request, page, batch)) return Next::kDone;

  long long cursor = shard.position.cursor();
  bool full = false;
  int ours = 0;
  for (int row = page.fresh; row < page.tail && !full; ++row) {
    const std::int64_t kind = r.Number(row, kKind);
    if (kind == kRow) ++ours;
    full = kind == kCut || (kind == kRow && !AddRow(r, row, batch));
    if (!full) cursor = r.Number(row, kId);
  }
  shard.position.Advance(cursor, ParseLockers(r.Text(page.tail, kKey), r.Text(page.tail, kType)));
  if (full) {
    shard.stretch = 1;
    if (batch.size() == 0) return Next::kAgain;  // all of it was in hand
    batch.More();
    return Next::kDone;
  }
  if (page.tail - page.fresh < page.asked) {
    shard.caught_up = true;
    return Next::kDone;
  }
  // A whole page, and the batch has room still: most rows were in hand, other shards' or waiting.
  if (static_cast<std::uint32_t>(ours) < request.limit() / 2) shard.stretch = std::min(shard.stretch * 2, kMostRows);
  if (batch.size() == 0) return Next::kAgain;
  batch.More();
  return Next::kDone;
}

bool Reader::AddLate(const ReserveRequest& request, const Page& page, BatchBuilder& batch) {
  std::vector<long long> missing;
  for (int row = 0; row < page.fresh; ++row) {
    char room[24];
    const long long id = page.result.Number(row, kId);
    const auto end = std::to_chars(room, room + sizeof room, id).ptr;
    if (!request.in_hand({room, static_cast<std::size_t>(end - room)})) missing.push_back(id);
  }
  if (missing.empty()) return true;
  std::sort(missing.begin(), missing.end());
  const bool all = missing.size() <= request.limit();
  if (!all) missing.resize(request.limit());
  Array ids(kInt8);
  for (const long long id : missing) ids.Add(id);
  const std::string array = ids.Take(), bytes = Binary(ByteLimit(request));
  const Result rows = wire_.Execute("late", {{array, true}, {bytes, true}});
  for (int row = 0; row < rows.rows(); ++row) {
    if (rows.Number(row, kKind) == kCut) {
      batch.More();
      return false;
    }
    if (!AddRow(rows, row, batch)) return false;
  }
  if (!all) batch.More();
  return all;
}

bool Reader::AddRow(const Result& result, int row, BatchBuilder& batch) const {
  char room[24];
  Event e = EventAt(result, row, kId, room);
  e.attempts = static_cast<std::uint32_t>(result.Number(row, kAttempts));
  return batch.Add(e);
}

}  // namespace outbox::postgres
