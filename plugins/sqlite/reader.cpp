#include "sqlite/reader.hpp"

#include <algorithm>
#include <charconv>

#include "sql/fill.hpp"
#include "sqlite/time.hpp"

namespace outbox::sqlite {
namespace {

// A sweep without being asked, now and then while nothing else is to do: it finds rows that became due in a way the
// relay cannot know of, as when an operator deletes the event that its key waits for.
constexpr auto kSweepEvery = std::chrono::seconds(60);
constexpr unsigned kLookAtClock = 256;  // rows

const char* const kColumns = "id, event_id, aggregate_id, event_type, topic, payload, headers, created_at";
enum Column : int { kId, kEventId, kKey, kType, kTopic, kPayload, kHeaders, kCreated };

// FNV-1a.
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

// A failure whose row somebody has deleted by hand holds nobody back.
constexpr const char* kEarlier = R"(
select 1 from {retry} r where r.aggregate_id = cast(?1 as text) and r.row_id < ?2
  and exists (select 1 from {event} e where e.id = r.row_id) limit 1)";

}  // namespace

std::uint32_t ShardOf(std::string_view row_id, const Bytes& key, std::uint32_t shards) {
  return Hash(key ? *key : row_id) % shards;
}

Reader::Reader(Connection& connection, const sql::Tables& tables)
    : connection_(connection),
      now_(connection, tables.In(sql::Fill(kAbout, {{"[now]", kNow}}))),
      due_(connection, tables.In("select row_id from {retry} where next_try <= ?1 and row_id <= ?2 order by row_id")),
      by_id_(connection,
             tables.In(sql::Fill("select [columns] from {event} where id = ?1", {{"[columns]", kColumns}}))),
      after_(connection, tables.In(sql::Fill("select [columns] from {event} where id > ?1 order by id",
                                             {{"[columns]", kColumns}}))),
      failed_(connection, tables.In("select attempts, next_try from {retry} where row_id = ?1")),
      earlier_(connection, tables.In(kEarlier)) {}

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

  // A shard gained anew is read from its oldest row: another relay may have left rows behind this position.
  Position& position = positions_[shard_];
  const auto now = std::chrono::steady_clock::now();
  const bool idle = position.caught_up && now - position.swept > kSweepEvery;
  if (request.sweep() || idle || position.token != call.token) position = {call.token, 0, now, false};
  if (!troubled_ || AddDue(position, batch)) AddNew(position, batch);
  snapshot.Commit();
}

bool Reader::AddDue(const Position& position, BatchBuilder& batch) {
  bool room = true;
  for (due_.Bind(at_, position.id); room && due_.Step();) {
    if (by_id_.Bind(due_.Number(0)).Step()) room = Add(by_id_, batch);
    by_id_.Reset();
  }
  due_.Reset();
  return room;
}

void Reader::AddNew(Position& position, BatchBuilder& batch) {
  position.caught_up = false;
  unsigned seen = 0;
  bool room = true;
  for (after_.Bind(position.id); after_.Step();) {
    if (!(room = Add(after_, batch))) break;
    position.id = after_.Number(kId);
    // Rows that wait may be millions: stop in time, the next call goes on from here.
    if (++seen % kLookAtClock == 0 && connection_.PastHalf()) {
      batch.More();
      room = false;
      break;
    }
  }
  after_.Reset();
  position.caught_up = room;
}

bool Reader::Add(const Prepared& row, BatchBuilder& batch) {
  const long long id = row.Number(kId);
  const Bytes key = row.Maybe(kKey);
  std::uint32_t attempts = 0;
  if (!Ours(id, key) || (troubled_ && Waits(id, key, attempts))) return true;
  char room[24];
  return batch.Add({Print(id, room), row.Text(kEventId), key, row.Text(kType), row.Text(kTopic), row.Maybe(kPayload),
                    row.Maybe(kHeaders), ToMicros(row, kCreated), attempts});
}

bool Reader::Ours(long long id, const Bytes& key) const {
  if (shards_ == 1) return true;
  char room_for_id[24];
  return ShardOf(Print(id, room_for_id), key, shards_) == shard_;
}

// Does the row wait: for its own next try, or for an earlier one of its key?
bool Reader::Waits(long long id, const Bytes& key, std::uint32_t& attempts) {
  bool waits = false;
  if (failed_.Bind(id).Step()) {
    // Also where an operator has set them back to 0.
    attempts = std::max(1U, static_cast<std::uint32_t>(failed_.Number(0)));
    waits = failed_.Type(1) == SQLITE_NULL || failed_.Number(1) > at_;
  }
  failed_.Reset();
  if (waits || !key) return waits;
  waits = earlier_.Bind(*key, id).Step();
  earlier_.Reset();
  return waits;
}

}  // namespace outbox::sqlite
