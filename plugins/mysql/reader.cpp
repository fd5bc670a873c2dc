#include "mysql/reader.hpp"

#include <algorithm>
#include <limits>

#include "mysql/list.hpp"
#include "sql/time.hpp"

namespace outbox::mysql {
namespace {

constexpr std::size_t kMaxLooks = 2000;  // maximum number of ranges in one dirty read
constexpr long long kNone = std::numeric_limits<long long>::max();
// Maximum number of ids in one statement. With more ids, both servers choose worse plans, and the read does not become
// faster.
constexpr std::size_t kIdsPerRead = 1000;

}  // namespace

Event EventAt(const Fetched& row) {
  Event e;
  e.row_id = row.Number(kId);
  e.event_id = row.Text(kEventId);
  e.aggregate_id = row.Maybe(kKey);
  e.event_type = row.Text(kType);
  e.topic = row.Text(kTopic);
  e.payload = row.Maybe(kPayload);
  e.headers = row.Maybe(kHeaders);
  e.created_us = sql::ParseTime(row.Text(kCreated));
  e.attempts = static_cast<std::uint32_t>(row.Number(kAttempts));
  return e;
}

void Reader::Capture(Captured captured, std::vector<MappedType> types) {
  captured_ = std::move(captured);
  types_ = std::move(types);
}

bool Reader::AddRow(const Fetched& row, BatchBuilder& batch) {
  Event e = EventAt(row);
  const auto first = row.columns() - static_cast<unsigned>(captured_.size());
  std::vector<std::string> written(captured_.size());
  std::vector<outbox_bytes> columns;
  for (unsigned i = 0; i < captured_.size(); ++i) {
    Bytes value = row.Maybe(first + i);
    if (value && types_[i].kind == OUTBOX_COLUMN_FLOAT) value = written[i] = Written(types_[i], std::string(*value));
    columns.push_back(Raw(value));
  }
  e.columns = columns;
  return batch.Add(e);
}

void Reader::Read(const Call& call, const ReserveRequest& request, BatchBuilder& batch) {
  batch.CoveredByShard(call.token);
  writes_anyway_ = false;
  Shard& shard = shards_[call.shard];
  // A shard that was lost and gained again is read from its oldest row, because the relay that owned the shard
  // meanwhile may have left rows below the position of this session.
  if ((request.from_oldest() && !request.rescan()) || shard.token != call.token) {
    shard.token = call.token;
    shard.cursor = 0;
    shard.gaps.Clear();
    shard.due = {};
    shard.rescan = {};
  }
  try {
    if (request.rescan()) return TakeStep(call, request, shard, batch);
    while (Take(call, request, shard, batch) == Next::kAgain) {
      if (!client_.PastHalf() && !client_.given_up()) continue;
      batch.More();
      return;
    }
  } catch (...) {
    // An error discards the batch with all events that this call has read, so the position of the shard is discarded as
    // well.
    shards_.erase(call.shard);
    throw;
  }
}

void Reader::Look(Visibility& gaps) {
  const auto now = Visibility::Clock::now();
  const std::vector<IdRange> ranges = gaps.ToLookAt(kMaxLooks, now);
  if (ranges.empty()) return;
  const std::vector<long long> seen = client_.ReadDirty(FirstOfEachSql(tables_, ranges));
  for (const IdRange& range : ranges) {
    const auto first = std::lower_bound(seen.begin(), seen.end(), range.first);
    gaps.Looked(range, first != seen.end() && *first <= range.last ? *first : 0, now);
  }
}

// While other relays deliver a backlog and delete its rows, more ids are missing than Visibility can keep apart. The
// last id of the table shows which ids were drawn long ago, so Visibility forgets them sooner.
void Reader::LearnTaken(Visibility& gaps) {
  if (!gaps.WantsTaken(Visibility::Clock::now())) return;
  const std::vector<long long> last = client_.ReadDirty(LastSql(tables_));
  if (!last.empty()) gaps.Taken(last.front(), Visibility::Clock::now());
}

std::int64_t Reader::Wanted(const Shard& shard, const ReserveRequest& request, const BatchBuilder& batch) {
  // The read asks for one row more than fits, so that the batch itself detects whether there are more rows.
  const std::int64_t by_count = shard.stretch.For(
      static_cast<std::int64_t>(request.limit()) + 1 - static_cast<std::int64_t>(batch.size()), kMaxRows);
  const std::uint64_t room = request.max_bytes() - std::min<std::uint64_t>(batch.bytes(), request.max_bytes());
  const auto by_bytes =
      static_cast<std::int64_t>(std::min<std::uint64_t>(room / shard.row_bytes, static_cast<std::uint64_t>(kMaxRows)));
  if (by_bytes == 0) return batch.size() == 0 ? 1 : 0;
  return std::min({shard.page, by_count, by_bytes});
}

// Describes the rows that the next statement is to read. Returns std::nullopt if the batch is practically full.
std::optional<ReadWish> Reader::NextWish(const Call& call, const ReserveRequest& request, Shard& shard,
                                         const BatchBuilder& batch) {
  if (shard.gaps.empty()) shard.ranges = kMaxRanges;
  ReadWish wish{call.shard,
                shard.shards,
                shard.troubled,
                writes_anyway_,
                shard.cursor,
                Wanted(shard, request, batch),
                shard.gaps.Cover(shard.ranges)};
  if (wish.rows == 0) return std::nullopt;
  if (shard.troubled && shard.due.shares.NewPass()) shard.due = {.shares = shard.due.shares};
  wish.due = shard.due.at;
  if (shard.troubled) wish.failures = static_cast<std::int64_t>(shard.due.shares.ForRetries(request));
  if (std::exchange(shard.late_only, false)) wish.rows = wish.failures = 0;
  // If ranges of missing ids are joined, the query must not read only the new rows (ReadWish::alone): between joined
  // ranges there are rows of outstanding events, which would look like late rows.
  wish.alone =
      std::exchange(shard.behind, false) && wish.rows > 0 && shard.gaps.size() <= shard.ranges && !wish.troubled;
  return wish;
}

Reader::Next Reader::Take(const Call& call, const ReserveRequest& request, Shard& shard, BatchBuilder& batch) {
  if (shard.behind && shard.shards > 1) LearnTaken(shard.gaps);
  Look(shard.gaps);
  const std::optional<ReadWish> wish = NextWish(call, request, shard, batch);
  if (!wish) return MoreWaits(batch);
  Page page;
  page.failures = wish->failures;
  client_.Read(ReadSql(tables_, *wish, captured_),
               [&](const Fetched& row) { return TakeRow(row, call, request, shard, page, batch); });
  if (!page.known && wish->alone) return Next::kAgain;
  if (!page.known) throw Error(OUTBOX_BAD_CONFIG, std::string("the meta table is empty; ") + sql::kMigrate);
  if (page.read_only) {
    RequireRight();
    return Next::kAgain;
  }
  const bool settled = Settle(call, request, shard, page, batch);
  if (page.rows > 0) shard.row_bytes = std::max<std::size_t>(1, page.bytes / static_cast<std::size_t>(page.rows));
  if (const auto next = AddWhatComesFirst(request, shard, page, settled, batch)) return *next;
  return Advance(*wish, request, shard, page, batch);
}

// Adds late rows and failures that are due to the batch. Returns std::nullopt if the new rows of the page come next.
std::optional<Reader::Next> Reader::AddWhatComesFirst(const ReserveRequest& request, Shard& shard, Page& page,
                                                      bool settled, BatchBuilder& batch) {
  // The page contains the maximum number of late rows, and all of them belong to other shards, have to wait, or are
  // outstanding. A late row of this kind is read only once, unless it lies between missing ids whose ranges were
  // joined, so fewer ranges are joined from now on.
  if (page.late.empty() && page.late_seen >= kMaxLate) shard.ranges = kManyRanges;
  const bool with_due = page.late.empty() && !page.asked_wrong && !client_.given_up() && page.late_seen < kMaxLate;
  if (with_due) AddDue(request, shard, page, batch);
  shard.due.left = shard.due.left || (!with_due && page.failures_seen > 0);
  if (page.asked_wrong || client_.given_up()) {
    shard.late_only = !page.late.empty();
    return page.full ? MoreWaits(batch) : Next::kAgain;
  }
  if (!page.late.empty()) return AddLate(std::move(page.late), request, shard, batch);
  if (page.late_seen >= kMaxLate) return Next::kAgain;
  if (settled) return std::nullopt;
  return batch.size() == 0 ? Next::kAgain : MoreWaits(batch);
}

// Decides after the new rows of `page` whether this call reads another page.
Reader::Next Reader::Advance(const ReadWish& wish, const ReserveRequest& request, Shard& shard, const Page& page,
                             BatchBuilder& batch) {
  if (!page.full && page.rows < wish.rows) {
    // The next read begins again with the failure that fell due first, because that failure may have been queued behind
    // another one until now.
    if (!shard.troubled || shard.due.all)
      shard.due = {.shares = shard.due.shares};
    else
      batch.More();
    return Next::kDone;
  }
  shard.behind = true;
  // A page of few rows, for which the batch had little room left, does not change the estimate.
  if (page.rows >= request.limit() / 2) shard.stretch.Learn(page.rows, page.ours + (page.full ? 1 : 0));
  if (page.full) return MoreWaits(batch);
  shard.page = std::min(kMaxRows, std::max(shard.page, page.rows * 4));
  // The events in the batch do not count as outstanding yet. Another read in this call would return them again if they
  // are retries, or lie between missing ids whose ranges are joined.
  const bool comes_again = shard.troubled || shard.gaps.size() > shard.ranges;
  return !comes_again || batch.size() == 0 ? Next::kAgain : MoreWaits(batch);
}

Reader::Next Reader::MoreWaits(BatchBuilder& batch) {
  batch.More();
  return Next::kDone;
}

bool Reader::TakeRow(const Fetched& row, const Call& call, const ReserveRequest& request, Shard& shard, Page& page,
                     BatchBuilder& batch) {
  const auto kind = static_cast<Kind>(row.Number(kKind));
  if (kind == kAbout) return TakeAbout(row, kInRowAbout, call, shard, page);
  if (!page.known) {
    if (row.columns() - captured_.size() <= kInEachRow.shape || !TakeAbout(row, kInEachRow, call, shard, page))
      return false;
    page.asked_wrong = row.columns() - captured_.size() > kAnyLate && row.Number(kAnyLate) != 0;
    if (page.asked_wrong) return false;
  }
  const long long id = row.Number(kId);
  if (kind == kDue) {
    ++page.failures_seen;
    shard.due.at = {std::string(row.Text(kCreated)), id};
    if (row.Number(kAttempts) != 0 && !request.is_outstanding(id)) page.due.push_back(id);
    return true;
  }
  if (kind == kLate || (kind == kThere && id <= shard.cursor)) {
    ++page.late_seen;
    if (kind == kLate && !request.is_outstanding(id))
      page.late.push_back(id);
    else
      shard.gaps.Seen(id);
    return true;
  }
  // Late rows are sent before all new rows, so new rows are left out until all late rows have been read.
  if (!page.late.empty() || page.late_seen >= kMaxLate) return false;
  page.bytes += row.bytes();
  ++page.rows;
  const std::size_t before = batch.size();
  if (kind == kRow) {
    // A part of the batch is kept free for the retries that are due.
    if (batch.size() + page.due.size() >= request.limit() || !AddRow(row, batch)) {
      page.full = true;
      return false;
    }
    ++page.ours;
  }
  if (client_.server().is_mariadb && (!page.unsure.empty() || !shard.gaps.empty() || id > shard.cursor + 1))
    page.unsure.push_back({id, before});
  else
    PassOver(id, shard);
  return true;
}

void Reader::PassOver(long long id, Shard& shard) {
  if (id > shard.cursor + 1) shard.gaps.Missing(shard.cursor + 1, id - 1);
  shard.cursor = id;
}

// MariaDB creates a snapshot while other transactions commit. The snapshot may therefore show a transaction and miss
// one that committed before it, even if the later transaction had waited for a lock of the earlier one. A statement
// that begins after the first statement has been read shows both transactions. So the rows of the first statement are
// sent only if their ids are below the lowest id whose row has appeared meanwhile, and the next read returns the rest.
bool Reader::Settle(const Call& call, const ReserveRequest& request, Shard& shard, Page& page, BatchBuilder& batch) {
  if (!client_.server().is_mariadb || (page.late.empty() && page.unsure.empty())) return true;
  if (client_.given_up()) {
    // The next page asks for fewer rows than this one, so the rest of its answer is short enough to skip.
    shard.page = std::max<std::int64_t>(1, page.rows - 1);
    if (!page.unsure.empty()) batch.Truncate(page.unsure.front().before);
    return false;
  }
  Visibility missing = MissingAfter(page, shard);
  const long long below = LowestThatTurnedUp(call, request, shard, page, missing);
  if (below == kNone && page.late.empty()) {
    shard.gaps = std::move(missing);
    shard.cursor = page.unsure.back().id;
    return true;
  }
  const auto rest = std::remove_if(page.late.begin(), page.late.end(), [below](long long id) { return id >= below; });
  const bool all_late = rest == page.late.end();
  page.late.erase(rest, page.late.end());
  for (const Unsure& row : page.unsure) {
    if (row.id >= below) {
      batch.Truncate(row.before);
      return false;
    }
    PassOver(row.id, shard);
  }
  return all_late;
}

// Returns the ids that are missing below the last row of the page.
Visibility Reader::MissingAfter(const Page& page, const Shard& shard) {
  Visibility missing = shard.gaps;
  for (const long long id : page.late) missing.Seen(id);
  long long passed = shard.cursor;
  for (const Unsure& row : page.unsure) {
    if (row.id > passed + 1) missing.Missing(passed + 1, row.id - 1);
    passed = row.id;
  }
  return missing;
}

long long Reader::LowestThatTurnedUp(const Call& call, const ReserveRequest& request, Shard& shard, const Page& page,
                                     Visibility& missing) {
  std::vector<long long> read = page.late;
  for (const Unsure& row : page.unsure) read.push_back(row.id);
  std::sort(read.begin(), read.end());
  if (missing.AnyBelow(read.back())) Look(missing);
  long long lowest = kNone;
  if (!missing.AnyBelow(read.back())) return lowest;
  const long long passed = page.unsure.empty() ? shard.cursor : page.unsure.back().id;
  std::size_t seen = 0;
  const ReadWish wish{call.shard, shard.shards, shard.troubled, writes_anyway_, passed, 0, missing.Cover(shard.ranges)};
  client_.Read(LateSql(tables_, wish), [&](const Fetched& row) {
    ++seen;
    const long long id = row.Number(kId);
    if (row.Number(kKind) == kLate && !request.is_outstanding(id) && !std::binary_search(read.begin(), read.end(), id))
      lowest = std::min(lowest, id);
    return true;
  });
  // The answer was cut off at kMaxLate rows, so some rows were not seen. The next attempt joins fewer ranges.
  if (seen >= kMaxLate) {
    shard.ranges = kManyRanges;
    lowest = 0;
  }
  return lowest;
}

bool Reader::TakeAbout(const Fetched& row, AboutColumns at, const Call& call, Shard& shard, Page& page) {
  if (!row.Maybe(at.token) || static_cast<std::uint64_t>(row.Number(at.token)) != call.token)
    throw Error(OUTBOX_LEASE_LOST, "shard " + std::to_string(call.shard) + " is not leased under this token");
  const auto shards = static_cast<std::uint32_t>(std::max(1LL, row.Number(at.shape) / 4));
  const bool troubled = row.Number(at.shape) % 2 != 0;
  troubled_ = troubled;
  page.known = true;
  page.read_only = row.Number(at.shape) / 2 % 2 != 0;
  // A statement that checks failures is also correct if there are none; it is only slower.
  page.asked_wrong = shards != shard.shards || (troubled && !shard.troubled);
  shard.shards = shards;
  shard.troubled = troubled;
  return !page.asked_wrong && !page.read_only;
}

// Checks that the user can write although the server is read-only, as users with certain privileges can. Each version
// of the server shows these privileges in a different way, so a write that changes nothing is tried.
void Reader::RequireRight() {
  client_.Execute(tables_.In("delete from {event} where 1 = 0"));
  writes_anyway_ = true;
}

bool Reader::AddByIds(std::span<const long long> ids, std::uint64_t most_bytes, Shard& shard, BatchBuilder& batch) {
  const std::size_t before = batch.bytes();
  bool room = true;
  for (std::size_t first = 0; room && first < ids.size(); first += kIdsPerRead) {
    const auto some = ids.subspan(first, std::min(kIdsPerRead, ids.size() - first));
    client_.Read(ByIdsSql(tables_, some, shard.troubled, captured_), [&](const Fetched& row) {
      room = batch.bytes() - before <= most_bytes && AddRow(row, batch);
      return room;
    });
  }
  return room && !client_.given_up();
}

// Adds the failures that are due to the batch. Failures that do not fit into the batch are returned after all other
// failures have been checked.
void Reader::AddDue(const ReserveRequest& request, Shard& shard, Page& page, BatchBuilder& batch) {
  Due& due = shard.due;
  const bool room = page.due.empty() || AddByIds(page.due, request.max_bytes() / 2, shard, batch);
  const bool at_end = page.failures > 0 && page.failures_seen < page.failures;
  due.left = due.left || !room;
  due.all = at_end && !due.left;
  if (at_end && due.left) due = {.shares = due.shares};
}

Reader::Next Reader::AddLate(std::vector<long long> ids, const ReserveRequest& request, Shard& shard,
                             BatchBuilder& batch) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  const std::size_t at_once = std::clamp<std::size_t>(request.max_bytes() / shard.row_bytes, 1, kIdsPerRead);
  for (std::size_t first = 0; first < ids.size(); first += at_once) {
    const auto some = std::span(ids).subspan(first, std::min(at_once, ids.size() - first));
    bool room = true;
    std::size_t rows = 0, bytes = 0;
    client_.Read(ByIdsSql(tables_, some, shard.troubled, captured_), [&](const Fetched& row) {
      ++rows;
      bytes += row.bytes();
      room = AddRow(row, batch);
      if (room) shard.gaps.Seen(row.Number(kId));
      return room;
    });
    if (rows > 0) shard.row_bytes = std::max<std::size_t>(1, bytes / rows);
    if (!room || client_.given_up()) return MoreWaits(batch);
    // An id that was asked for and not returned belongs to a row that was deleted meanwhile. This row does not appear
    // again, so its id is not missing any more.
    for (const long long id : some) shard.gaps.Seen(id);
  }
  return batch.size() == 0 ? Next::kAgain : MoreWaits(batch);
}

}  // namespace outbox::mysql
