// The rescans of a Reader, which run beside the normal reading.
#include <algorithm>

#include "mysql/reader.hpp"

namespace outbox::mysql {

// Performs one step of a rescan. Like every read, the step also looks for late rows below the rows that it reads,
// because one of these rows may be a later row of the same key.
void Reader::TakeStep(const Call& call, const ReserveRequest& request, Shard& shard, BatchBuilder& batch) {
  Rescan& rescan = shard.rescan;
  if (rescan.end == 0) rescan = {0, std::max(shard.cursor, 1LL), shard.gaps, {}, rescan.stretch};
  batch.Rescan(OUTBOX_RESCAN_GOES_ON);
  ReadWish wish{call.shard, shard.shards, shard.troubled, writes_anyway_, rescan.cursor, 0, {}};
  wish.rows = rescan.stretch.For(std::int64_t{request.limit()} + 1, kMaxRows);
  wish.upto = std::max(shard.cursor, 1LL);
  for (IdRange range : rescan.missing.Cover(kManyRanges))
    if (range.first <= rescan.cursor) wish.missing.push_back({range.first, std::min(range.last, rescan.cursor)});

  Page page;
  std::vector<long long> brought;
  client_.Read(ReadSql(tables_, wish, captured_), [&](const Fetched& row) {
    const auto kind = static_cast<Kind>(row.Number(kKind));
    if (kind == kAbout) return TakeAbout(row, kInRowAbout, call, shard, page);
    const long long id = row.Number(kId);
    if (id <= rescan.cursor) {
      if (kind == kLate && !request.is_outstanding(id) && !rescan.seen.contains(id)) page.late.push_back(id);
      return true;
    }
    if (!page.late.empty()) return false;
    page.full = kind == kRow && !AddRow(row, batch);
    if (page.full) return false;
    ++page.rows;
    if (kind == kRow) {
      ++page.ours;
      brought.push_back(id);
    }
    page.unsure.push_back({id, 0});
    return true;
  });
  if (!page.known) throw Error(OUTBOX_BAD_CONFIG, std::string("the meta table is empty; ") + sql::kMigrate);
  if (page.read_only) RequireRight();
  if (page.asked_wrong || page.read_only || client_.given_up()) return batch.Truncate(0);
  if (!page.late.empty()) {
    std::sort(page.late.begin(), page.late.end());
    const bool room = AddByIds(page.late, request.max_bytes(), shard, batch);
    if (!room) page.late.resize(std::min(page.late.size(), batch.size()));
    rescan.seen.insert(page.late.begin(), page.late.end());
    return;
  }
  const long long last = page.unsure.empty() ? rescan.cursor : page.unsure.back().id;
  if (client_.server().is_mariadb && TurnedUp(request, shard, wish, page, last)) return batch.Truncate(0);
  rescan.cursor = last;
  rescan.missing = shard.gaps;
  if (rescan.missing.empty())
    rescan.seen.clear();
  else
    rescan.seen.insert(brought.begin(), brought.end());
  rescan.stretch.Learn(std::max<std::int64_t>(page.rows, 1), page.ours);
  const bool met = !page.full && page.rows < wish.rows;
  if (!met && rescan.cursor < rescan.end) return;
  batch.Rescan(met ? OUTBOX_RESCAN_DONE : OUTBOX_RESCAN_ENDED);
  rescan.end = 0;
}

// Returns true if a row has appeared that this step of the rescan has not read. A row that the step has read does not
// count, even if its id was missing before.
bool Reader::TurnedUp(const ReserveRequest& request, const Shard& shard, ReadWish wish, const Page& page,
                      long long last) {
  wish.missing.clear();
  for (IdRange range : shard.rescan.missing.Cover(kManyRanges))
    if (range.first <= last) wish.missing.push_back({range.first, std::min(range.last, last)});
  if (wish.missing.empty()) return false;
  bool turned_up = false;
  client_.Read(LateSql(tables_, wish), [&](const Fetched& row) {
    const long long id = row.Number(kId);
    const auto at = std::lower_bound(page.unsure.begin(), page.unsure.end(), id,
                                     [](const Unsure& read, long long wanted) { return read.id < wanted; });
    const bool read = at != page.unsure.end() && at->id == id;
    turned_up = turned_up || (row.Number(kKind) == kLate && !read && shard.rescan.missing.Has(id) &&
                              !shard.rescan.seen.contains(id) && !request.is_outstanding(id));
    return true;
  });
  return turned_up;
}

}  // namespace outbox::mysql
