#include "postgres/reader.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "postgres/array.hpp"
#include "postgres/errors.hpp"
#include "postgres/read_sql.hpp"
#include "postgres/role_settings.hpp"
#include "sql/row_id.hpp"

namespace outbox::postgres {
namespace {

constexpr std::int64_t kMaxRows = 20'000;     // maximum number of rows that a statement for all shards scans
constexpr std::int64_t kMaxIds = 200'000;     // maximum number of ids that a statement for one shard scans
constexpr std::uint64_t kMaxBytes = 1 << 30;  // limit in bytes; sums of sizes stay plain integers on the server

template <class T>
std::string Binary(T number) {
  std::string bytes;
  PutNumber<T>(bytes, number);
  return bytes;
}

// Parses a list of lockers such as "3/55=741+742,5/9=": virtual transactions and their transaction ids. The transaction
// ids have 32 bits and are extended to the 64-bit ids nearest to `next`. A transaction may also list the ids of its
// subtransactions; its own id is the lowest.
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

std::vector<long long> IdsIn(std::string_view bytes) {
  std::vector<long long> ids;
  for (std::size_t at = 0; at + sizeof(std::int64_t) <= bytes.size(); at += sizeof(std::int64_t))
    ids.push_back(GetNumber(bytes.substr(at, sizeof(std::int64_t))));
  return ids;
}

// Removes the ids of outstanding rows, and sorts the others in ascending order.
void LeaveOutOutstanding(std::vector<long long>& ids, const ReserveRequest& request) {
  std::erase_if(ids, [&request](long long id) { return request.is_outstanding(id); });
  std::sort(ids.begin(), ids.end());
}

// Decodes a ctid: four bytes for the number of the block, and two for that of the item.
RowPlaces::Place PlaceIn(std::string_view bytes) {
  RowPlaces::Place place = 0;
  for (const char byte : bytes) place = place << 8U | static_cast<unsigned char>(byte);
  return place;
}

// Returns the lockers that the last row of a result lists.
std::vector<Locker> LockersIn(const Result& result) {
  const int tail = result.rows() - 1;
  return ParseLockers(result.Text(tail, kLockers), result.Text(tail, kNextXid));
}

}  // namespace

Reader::Reader(Client& client, const sql::Tables& tables, const EventColumns& columns, RowPlaces& places)
    : client_(client), places_(places), values_(columns) {
  const std::vector<Oid> types{kInt8, kInt8, kInt8, kInt4, kInt8Array, kInt4, kTimestamptz, kInt8, kInt8};
  client_.Prepare("read", ReadSql(tables, columns, false), types);
  client_.Prepare("read_weighed", ReadSql(tables, columns, true), types);
  client_.Prepare("rescan", RescanSql(tables, columns), {kInt8, kInt8, kInt8, kInt4, kInt8Array, kInt4, kInt8});
  client_.Prepare("read_alone", RowsAloneSql(tables, columns), {kInt4, kInt8, kInt8, kInt4});
  client_.Prepare("read_ours_alone", OurRowsAloneSql(tables, columns), {kInt4, kInt8, kInt8, kInt4, kInt8});
  client_.Prepare("lockers", LockersSql(tables, columns), {});
  client_.Prepare("drawn", DrawnSql(tables), {});
  client_.Prepare("late", LateSql(tables, columns), {kInt8Array, kInt4});
}

void Reader::Read(const Call& call, const ReserveRequest& request, BatchBuilder& batch) {
  batch.CoveredByShard(call.token);
  Shard& shard = shards_[call.shard];
  // A shard that was lost and gained again is read from its oldest row, because another relay may have left rows below
  // the position of this reader.
  if ((request.from_oldest() && !request.rescan()) || shard.token != call.token) {
    shard = Shard{.token = call.token};
    Settle(shard.position);
    settles_ = true;
  }
  if (request.rescan()) return TakeStep(call, request, shard, batch);
  while (Take(call, request, shard, batch) == Next::kAgain) {
    if (!client_.PastHalf()) continue;
    batch.More();
    return;
  }
}

// The lockers are listed after the last drawn id was read. A transaction that has drawn an id up to that one held its
// lock on the table at that time. So it either still holds the lock and is listed, or it has ended.
bool Reader::Settle(Visibility& position) {
  const long long drawn = client_.Execute("drawn", {}).Number(0, 0);
  position.Settle(drawn, LockersIn(client_.Execute("lockers", {})));
  return drawn != 0;
}

Reader::Page Reader::Ask(const Call& call, const ReserveRequest& request, Shard& shard, bool alone) {
  // The read asks for one row more than fits, so that the batch itself detects whether there are more rows.
  const std::int64_t fits = std::int64_t{request.limit()} + 1;
  const Visibility& at = shard.position;
  const long long upto =
      alone && shard.shared ? std::min<long long>(at.cursor() + shard.stretch.For(fits, kMaxIds), at.settled()) : 0;
  const std::int64_t asked = upto != 0 ? fits : shard.stretch.For(fits, kMaxRows);
  const auto all = static_cast<std::int32_t>(std::min<std::uint64_t>(request.max_bytes(), kMaxBytes));
  // Largest size, in bytes, that the payload, the key and the headers of a row may each have if the sizes of the rows
  // are not summed up.
  const std::int32_t each = std::max(1, static_cast<std::int32_t>(all / asked / 3));
  if (!alone && shard.due.shares.NewPass()) shard.due = {.shares = shard.due.shares};
  const auto failures = alone ? 0 : static_cast<std::int64_t>(shard.due.shares.ForRetries(request));
  Page page{
      alone ? AskAlone(call, at, asked, each, upto) : AskAll(call, shard, asked, shard.weighed ? all : each, failures),
      0,
      0,
      asked,
      upto,
      static_cast<std::size_t>(each),
      alone,
      failures};
  const Result& r = page.result;
  CheckTail(call, r);
  page.tail = r.rows() - 1;
  const auto is_new = [&r](int row) { return r.Number(row, kKind) != kLate && r.Number(row, kKind) != kDue; };
  while (page.fresh < page.tail && !is_new(page.fresh)) ++page.fresh;
  return page;
}

void Reader::CheckTail(const Call& call, const Result& r) {
  const int tail = r.rows() - 1;
  if (tail < 0 || r.Number(tail, kKind) != kTail)
    throw Error(OUTBOX_BAD_CONFIG, std::string("the meta table is empty; ") + sql::kMigrate);
  if (r.IsNull(tail, kId) || static_cast<std::uint64_t>(r.Number(tail, kId)) != call.token)
    throw Error(OUTBOX_LEASE_LOST, "shard " + std::to_string(call.shard) + " is not leased under this token");
  // In a read-only session, rows could be read and sent but not deleted.
  if (!r.IsNull(tail, kReadOnly)) throw WhyReadOnly(client_);
}

Result Reader::AskAll(const Call& call, const Shard& shard, std::int64_t rows, std::int32_t bytes,
                      std::int64_t failures) {
  const Visibility& at = shard.position;
  Array watched(kInt8);
  for (const std::uint64_t xid : at.Watched()) watched.Add(static_cast<long long>(xid));
  const std::string low = Binary<std::int64_t>(at.low()), cursor = Binary<std::int64_t>(at.cursor()),
                    limit = Binary(rows), weight = Binary(bytes), xids = watched.Take(),
                    number = Binary(static_cast<std::int32_t>(call.shard)), time = Binary(shard.due.time),
                    row = Binary<std::int64_t>(shard.due.row), look = Binary(failures);
  return client_.Execute(shard.weighed ? "read_weighed" : "read", {{low, true},
                                                                   {cursor, true},
                                                                   {limit, true},
                                                                   {weight, true},
                                                                   {xids, true},
                                                                   {number, true},
                                                                   {time, true},
                                                                   {row, true},
                                                                   {look, true}});
}

Result Reader::AskAlone(const Call& call, const Visibility& at, std::int64_t rows, std::int32_t bytes, long long upto) {
  const std::string number = Binary(static_cast<std::int32_t>(call.shard)), cursor = Binary<std::int64_t>(at.cursor()),
                    limit = Binary(rows), each = Binary(bytes), last = Binary<std::int64_t>(upto);
  if (upto == 0) return client_.Execute("read_alone", {{number, true}, {cursor, true}, {limit, true}, {each, true}});
  return client_.Execute("read_ours_alone",
                         {{number, true}, {cursor, true}, {limit, true}, {each, true}, {last, true}});
}

bool Reader::MayReadAlone(Shard& shard) {
  return std::exchange(shard.behind, false) && shard.position.whole() &&
         (shard.shared ? shard.position.settled() > shard.position.cursor() : !shard.weighed);
}

Reader::Next Reader::Take(const Call& call, const ReserveRequest& request, Shard& shard, BatchBuilder& batch) {
  const Page page = Ask(call, request, shard, MayReadAlone(shard));
  if (!page.result.IsNull(page.tail, kEnded)) {
    shard.shared = shard.shared || (page.alone && page.result.Text(page.tail, kEnded) == "shared");
    if (!page.alone) shard.position.Resume();
    return Next::kAgain;
  }
  // Late rows precede all new rows, and new rows are added only after all late ones. A relay that drops late rows finds
  // them again by a rescan, so late rows are returned only once. If they were returned repeatedly, they would fill
  // every read while an older transaction is open.
  if (!AddLate(request, page, batch, shard.late)) return Next::kDone;
  if (!page.alone) AddDue(request, page, shard.due, batch);
  const NewRows rows = AddNew(page, shard, batch);
  Advance(page, shard.position, rows.cursor, rows.missing);
  shard.late.erase(shard.late.begin(), shard.late.upper_bound(shard.position.floor()));
  return rows.all && page.upto == 0 ? EndOfOutbox(page, shard, batch) : GoOn(page, rows, shard, batch);
}

Reader::NewRows Reader::AddNew(const Page& page, Shard& shard, BatchBuilder& batch) {
  const Result& r = page.result;
  NewRows rows{.begin = shard.position.cursor(), .cursor = shard.position.cursor()};
  shard.weighed = false;
  bool full = false;
  for (int row = page.fresh; row < page.tail; ++row, ++rows.looked) {
    const std::int64_t kind = r.Number(row, kKind);
    shard.shared = shard.shared || kind == kNotOurs;
    shard.weighed = shard.weighed || kind == kCut || (kind == kRow && r.Text(row, kPayload).size() > page.small);
    rows.ours += kind == kRow ? 1 : 0;
    full = kind == kCut || (kind == kRow && !AddRow(r, row, batch));
    if (full) break;
    const long long id = r.Number(row, kId);
    if (id > rows.cursor + 1) rows.missing = id - 1;
    rows.cursor = id;
  }
  if (page.alone) NotePlaces(page, rows.looked);
  rows.all = !full && page.tail - page.fresh < page.asked;
  if (rows.all) rows.cursor = page.upto != 0 ? page.upto : std::max(rows.cursor, shard.position.settled());
  return rows;
}

void Reader::NotePlaces(const Page& page, int count) {
  std::vector<RowPlaces::Row> rows;
  for (int row = page.fresh; row < page.fresh + count; ++row)
    if (const auto place = page.result.Maybe(row, kPlace))
      rows.push_back({page.result.Number(row, kId), PlaceIn(*place)});
  if (!rows.empty()) places_.Note(rows);
}

// Ends a read after which there is no row beyond those of `page`.
Reader::Next Reader::EndOfOutbox(const Page& page, Shard& shard, BatchBuilder& batch) {
  // The next read begins again with the failure that fell due first, because that event may have waited for another
  // one until now.
  if (page.alone || shard.due.all || !Troubled(page))
    shard.due = {.shares = shard.due.shares};
  else
    batch.More();
  return Next::kDone;
}

// Continues or ends a read after which there are, or may be, more rows than those of `page`.
Reader::Next Reader::GoOn(const Page& page, const NewRows& rows, Shard& shard, BatchBuilder& batch) {
  // If there are failures, it is never sufficient to read only new rows. If the page had no row of this shard, or if
  // its rows are large, the next read is an ordinary read of all kinds of rows.
  shard.behind = page.upto != 0 ? rows.ours > 0 && !shard.weighed : page.alone || !Troubled(page);
  shard.stretch.Learn(page.upto != 0 ? rows.cursor - rows.begin : rows.looked, rows.ours);
  const long long needed = shard.shared ? rows.cursor + 1 : rows.missing;
  if (settles_ && shard.position.settled() < needed && !shard.position.settling()) settles_ = Settle(shard.position);
  // The batch is empty if all rows were outstanding, belonged to other shards or had to wait, or if the first row is
  // large.
  if (batch.size() == 0) return Next::kAgain;
  batch.More();
  return Next::kDone;
}

bool Reader::Troubled(const Page& page) { return page.result.Number(page.tail, kTroubled) != 0; }

void Reader::Advance(const Page& page, Visibility& position, long long cursor, long long missing) {
  if (page.alone && missing <= position.settled()) return position.AdvanceWhole(cursor);
  const Result later = page.alone ? client_.Execute("lockers", {}) : Result(nullptr);
  position.Advance(cursor, missing, LockersIn(page.alone ? later : page.result));
}

bool Reader::AddLate(const ReserveRequest& request, const Page& page, BatchBuilder& batch, std::set<long long>& seen) {
  std::vector<long long> late;
  for (int row = 0; row < page.fresh; ++row) {
    if (page.result.Number(row, kKind) != kLate) continue;
    for (const long long id : IdsIn(page.result.Text(row, kIds)))
      if (!seen.contains(id)) late.push_back(id);
  }
  LeaveOutOutstanding(late, request);
  const bool room = AddByIds(late, request.max_bytes(), request, batch);
  if (!room) batch.More();
  // The next read, or the next step of the rescan, returns the rows that did not fit.
  if (!room) late.resize(std::min(late.size(), batch.size()));
  seen.insert(late.begin(), late.end());
  return room;
}

// Adds rows by their ids. Returns false if there was no room for all of them.
bool Reader::AddByIds(std::vector<long long> ids, std::uint64_t most_bytes, const ReserveRequest& request,
                      BatchBuilder& batch) {
  LeaveOutOutstanding(ids, request);
  if (ids.empty()) return true;
  const bool all = ids.size() <= request.limit();
  if (!all) ids.resize(request.limit());
  Array list(kInt8);
  for (const long long id : ids) list.Add(id);
  const std::string array = list.Take(),
                    bytes = Binary(static_cast<std::int32_t>(std::min<std::uint64_t>(most_bytes, kMaxBytes)));
  const Result rows = client_.Execute("late", {{array, true}, {bytes, true}});
  for (int row = 0; row < rows.rows(); ++row)
    if (rows.Number(row, kKind) == kCut || !AddRow(rows, row, batch)) return false;
  return all;
}

// Adds the failed rows that are due. Rows that do not fit are added once all other failures have been examined.
void Reader::AddDue(const ReserveRequest& request, const Page& page, Due& due, BatchBuilder& batch) {
  for (int row = 0; row < page.fresh; ++row) {
    const Result& r = page.result;
    if (r.Number(row, kKind) != kDue) continue;
    const std::int64_t looked = r.Number(row, kId);
    const bool room =
        AddByIds(IdsIn(r.Text(row, kIds)), std::max<std::uint64_t>(request.max_bytes() / 2, 1), request, batch);
    const bool at_end = page.failures > 0 && looked < page.failures;
    due.left = due.left || !room;
    due.all = at_end && !due.left;
    if (at_end && due.left) {
      due = {.shares = due.shares};
    } else if (looked > 0) {
      due.time = r.Number(row, kCreated);
      due.row = sql::ParseId(r.Text(row, kType)).value_or(0);
    }
  }
}

// Performs one step of a rescan. Like every read, the step first looks for late rows below its position, because later
// rows of the same keys may be in this step.
void Reader::TakeStep(const Call& call, const ReserveRequest& request, Shard& shard, BatchBuilder& batch) {
  Rescan& rescan = shard.rescan;
  Visibility& position = shard.position;
  if (rescan.end == 0) rescan = {0, std::max(position.cursor(), 1LL), position.floor(), {}, rescan.stretch};
  batch.Rescan(OUTBOX_RESCAN_GOES_ON);
  Array watched(kInt8);
  for (const std::uint64_t xid : position.Watched()) watched.Add(static_cast<long long>(xid));
  const std::int64_t asked = rescan.stretch.For(std::int64_t{request.limit()} + 1, kMaxRows);
  const std::string low = Binary<std::int64_t>(rescan.floor), cursor = Binary<std::int64_t>(rescan.cursor),
                    limit = Binary(asked), xids = watched.Take(),
                    weight = Binary(static_cast<std::int32_t>(std::min<std::uint64_t>(request.max_bytes(), kMaxBytes))),
                    number = Binary(static_cast<std::int32_t>(call.shard)),
                    last = Binary<std::int64_t>(position.cursor());
  Page page{client_.Execute(
      "rescan",
      {{low, true}, {cursor, true}, {limit, true}, {weight, true}, {xids, true}, {number, true}, {last, true}})};
  const Result& r = page.result;
  CheckTail(call, r);
  page.tail = r.rows() - 1;
  while (page.fresh < page.tail && r.Number(page.fresh, kKind) == kLate) ++page.fresh;
  if (!r.IsNull(page.tail, kEnded)) return position.Resume();
  if (!AddLate(request, page, batch, rescan.seen)) return;
  bool full = false;
  std::int64_t ours = 0;
  int row = page.fresh;
  for (; row < page.tail; ++row) {
    const std::int64_t kind = r.Number(row, kKind);
    const long long id = r.Number(row, kId);
    ours += kind == kNotOurs ? 0 : 1;
    full = kind == kCut || (kind == kRow && !AddRow(r, row, batch));
    if (full) break;
    if (kind == kRow && id > rescan.floor) rescan.seen.insert(id);
    rescan.cursor = id;
  }
  rescan.floor = position.floor();
  rescan.seen.erase(rescan.seen.begin(), rescan.seen.upper_bound(rescan.floor));
  rescan.stretch.Learn(row - page.fresh, ours);
  const bool met = !full && page.tail - page.fresh < asked;
  if (!met && rescan.cursor < rescan.end) return;
  batch.Rescan(met ? OUTBOX_RESCAN_DONE : OUTBOX_RESCAN_ENDED);
  rescan.end = 0;
}

bool Reader::AddRow(const Result& result, int row, BatchBuilder& batch) {
  Room room;
  Event e = EventAt(result, row, kId, room);
  e.columns = values_.At(result, row, kCopies, e.aggregate_id);
  if (result.columns() > kAttempts) e.attempts = static_cast<std::uint32_t>(result.Number(row, kAttempts));
  return batch.Add(e);
}

}  // namespace outbox::postgres
