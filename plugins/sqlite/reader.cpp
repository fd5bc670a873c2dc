#include "sqlite/reader.hpp"

#include <algorithm>
#include <charconv>

#include "sql/sql_template.hpp"
#include "sqlite/time.hpp"

namespace outbox::sqlite {
namespace {

constexpr unsigned kMaxRescanned = 20'000;  // maximum number of rows that one step of a rescan examines
constexpr unsigned kLookAtClock = 256;      // number of rows between two checks of the time

// {e.copies} stands for the copied columns of captured rows.
const char* const kColumns = "id, event_id, aggregate_id, event_type, topic, payload, headers, created_at{e.copies}";
enum Column : int { kId, kEventId, kKey, kType, kTopic, kPayload, kHeaders, kCreated, kCopies };

// Returns the FNV-1a hash of `bytes`, with the upper bits of the hash mixed into the lower ones.
std::uint32_t Hash(std::string_view bytes) {
  std::uint32_t hash = 2166136261U;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return hash ^ (hash >> 15U);
}

std::string_view Print(long long id, char (&room)[24]) {
  return {room, static_cast<std::size_t>(std::to_chars(room, room + sizeof room, id).ptr - room)};
}

constexpr const char* kAbout = R"(
select m.shards, exists (select 1 from {retry}), [now],
  (select token from {shard} where shard = ?1 and owner is not null)
from {meta} m)";

// Finds an earlier failure of the same key. A failure whose row somebody has deleted by hand holds back no other event,
// and neither does an undeletable event.
constexpr const char* kEarlier = R"(
select 1 from {retry} r where r.aggregate_id = cast(?1 as text) and r.row_id < ?2 and r.remove_at is null
  and exists (select 1 from {event} e where e.id = r.row_id
              and (r.event_id is null or r.event_id = ifnull(cast(e.event_id as text), ''))) limit 1)";

// Returns a query for the rows to which the condition `where` applies. Names of captured columns are qualified with an
// alias, because SQLite takes an unqualified name in double quotes for a string if there is no such column.
std::string Rows(const sql::Tables& tables, const char* where) {
  return tables.In(sql::Fill("select [columns] from {event}[alias] where ",
                             {{"[columns]", kColumns}, {"[alias]", tables.captured ? " e" : ""}}) +
                   where);
}

}  // namespace

std::uint32_t ShardOf(long long id, const Bytes& key, std::uint32_t shards) {
  char room[24];
  return Hash(key ? *key : Print(id, room)) % shards;
}

Reader::Reader(Connection& connection, const sql::Tables& tables)
    : connection_(connection),
      now_(connection, tables.In(sql::Fill(kAbout, {{"[now]", kNow}}))),
      due_(connection,
           tables.In("select row_id, next_try from {retry} where next_try <= ?1 and (next_try, row_id) > (?2, ?3)"
                     " order by next_try, row_id limit ?4")),
      by_id_(connection, Rows(tables, "id = ?1")),
      after_(connection, Rows(tables, "id > ?1 order by id")),
      failed_(connection,
              tables.In(
                  "select attempts, next_try from {retry} where row_id = ?1 and (event_id is null or event_id = ?2)")),
      earlier_(connection, tables.In(kEarlier)),
      values_(tables) {}

void Reader::Read(const Call& call, const ReserveRequest& request, BatchBuilder& batch) {
  Transaction snapshot(connection_, "begin");
  if (!now_.Bind(static_cast<long long>(call.shard)).Step())
    throw Error(OUTBOX_BAD_CONFIG, std::string("the meta table is empty; ") + sql::kMigrate);
  shard_ = call.shard;
  shards_ = static_cast<std::uint32_t>(std::max(1LL, now_.Number(0)));
  troubled_ = now_.Number(1) != 0;
  at_ = now_.Number(2);
  const bool leased = now_.Type(3) != SQLITE_NULL && static_cast<std::uint64_t>(now_.Number(3)) == call.token;
  now_.Reset();
  if (!leased) throw Error(OUTBOX_LEASE_LOST, "shard " + std::to_string(shard_) + " is not leased under this token");
  batch.CoveredByShard(call.token);

  // A shard that was lost and gained again is read from its oldest row, because the relay that owned the shard
  // meanwhile may have left rows below the position of this session.
  Position& position = positions_[shard_];
  if ((request.from_oldest() && !request.rescan()) || position.token != call.token)
    position = Position{.token = call.token};
  if (request.rescan()) {
    Rescan(position, batch);
  } else {
    if (troubled_) AddDue(request, position, batch);
    AddNew(position, batch);
  }
  snapshot.Commit();
}

// Adds a limited number of failures that are due, in the order of the times since which they have been due. The next
// read continues with the failures that follow, and begins again with the first failure after the last one was checked.
void Reader::AddDue(const ReserveRequest& request, Position& position, BatchBuilder& batch) {
  if (position.shares.NewPass()) {
    position.due = kNever;
    position.due_left = false;
  }
  const auto most = static_cast<long long>(position.shares.ForRetries(request));
  long long looked = 0;
  for (due_.Bind(at_, position.due, position.due_row, most); due_.Step(); ++looked) {
    position.due_row = due_.Number(0);
    position.due = due_.Number(1);
    if (position.due_row > position.id || batch.bytes() > request.max_bytes() / 2) {
      position.due_left = position.due_left || position.due_row <= position.id;
      continue;
    }
    if (by_id_.Bind(position.due_row).Step() && !Add(by_id_, batch)) position.due_left = true;
    by_id_.Reset();
  }
  due_.Reset();
  const bool all = most > 0 && looked < most;
  if (!all || position.due_left) batch.More();
  if (!all) return;
  position.due = kNever;
  position.due_left = false;
}

void Reader::AddNew(Position& position, BatchBuilder& batch) {
  unsigned seen = 0;
  for (after_.Bind(position.id); after_.Step();) {
    if (!Add(after_, batch)) break;
    position.id = after_.Number(kId);
    // Millions of rows may have to wait and be passed over, so the loop stops after half of the call's time. The next
    // call continues from the position.
    if (++seen % kLookAtClock == 0 && connection_.PastHalf()) {
      batch.More();
      break;
    }
  }
  after_.Reset();
}

// Performs one step of a rescan. A row that is committed during the rescan has a higher id than all rows that the
// rescan has passed.
void Reader::Rescan(Position& position, BatchBuilder& batch) {
  if (position.rescan_end == 0) {
    position.rescanned = 0;
    position.rescan_end = std::max(position.id, 1LL);
  }
  unfailed_only_ = true;
  bool met = true;
  unsigned seen = 0;
  for (after_.Bind(position.rescanned); after_.Step() && after_.Number(kId) <= position.id;) {
    met = ++seen <= kMaxRescanned && Add(after_, batch);
    if (!met) break;
    position.rescanned = after_.Number(kId);
  }
  after_.Reset();
  unfailed_only_ = false;
  if (!met && position.rescanned < position.rescan_end) {
    batch.Rescan(OUTBOX_RESCAN_GOES_ON);
    return;
  }
  batch.Rescan(met ? OUTBOX_RESCAN_DONE : OUTBOX_RESCAN_ENDED);
  position.rescan_end = 0;
}

bool Reader::Add(const Prepared& row, BatchBuilder& batch) {
  const long long id = row.Number(kId);
  const Bytes key = row.Maybe(kKey);
  std::uint32_t attempts = 0;
  if (!Ours(id, key) || (troubled_ && Waits(id, row.Text(kEventId), key, attempts))) return true;
  Event event{id,
              row.Text(kEventId),
              key,
              row.Text(kType),
              row.Text(kTopic),
              row.Maybe(kPayload),
              row.Maybe(kHeaders),
              ToMicros(row, kCreated),
              attempts};
  event.columns = values_.At(row, kCopies);
  return batch.Add(event);
}

bool Reader::Ours(long long id, const Bytes& key) const { return shards_ == 1 || ShardOf(id, key, shards_) == shard_; }

// Returns true if the row has to wait, for its own next attempt or for an earlier event of its key. Sets `attempts` if
// the row has failed.
bool Reader::Waits(long long id, std::string_view event_id, const Bytes& key, std::uint32_t& attempts) {
  bool waits = false;
  if (failed_.Bind(id, event_id).Step()) {
    // The number of attempts is at least 1, even if an operator has reset the counter to 0.
    attempts = std::max(1U, static_cast<std::uint32_t>(failed_.Number(0)));
    waits = unfailed_only_ || failed_.Type(1) == SQLITE_NULL || failed_.Number(1) > at_;
  }
  failed_.Reset();
  if (waits || !key) return waits;
  waits = earlier_.Bind(*key, id).Step();
  earlier_.Reset();
  return waits;
}

}  // namespace outbox::sqlite
