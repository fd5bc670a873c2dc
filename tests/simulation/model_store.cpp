#include "tests/simulation/model_store.hpp"

#include <algorithm>
#include <utility>

namespace outbox::simulation {

RowId ModelStore::TakeId() {
  if (mutant_ == Mutant::kIdReuse) last_id_ = rows_.empty() ? 0 : rows_.rbegin()->first;
  return ++last_id_;
}

void ModelStore::Commit(const std::vector<Row>& rows) {
  ++commits_;
  for (const Row& row : rows) {
    rows_[row.id] = {row, ledger_.Of(row.event).shard, commits_};
    ledger_.Committed(row.event, commits_);
  }
}

template <class F>
void ModelStore::EachThatMayGo(std::uint32_t shard, F f) const {
  std::vector<int> held;  // Keys that a failed row holds back; there are few, if any.
  for (const auto& [id, stored] : rows_) {
    if (stored.shard != shard) continue;
    const int key = stored.row.key;
    const auto retry = retries_.find(id);
    const bool behind = key != kNoKey && std::find(held.begin(), held.end(), key) != held.end();
    const bool delivered = retry != retries_.end() && retry->second.delivered;
    const bool holds_back = retry != retries_.end() && (!delivered || mutant_ == Mutant::kDeliveredHoldsBack);
    if (holds_back && key != kNoKey && !behind && mutant_ != Mutant::kSkipBlockedHead) held.push_back(key);
    if (delivered && mutant_ != Mutant::kDeliveredComesAgain) continue;
    if (!f(id, stored, retry == retries_.end() ? nullptr : &retry->second, behind)) return;
  }
}

Snapshot ModelStore::Look(std::uint32_t shard, Position& position) const {
  Snapshot seen;
  seen.commit = commits_;
  seen.at = world_.now();
  bool late_ones = mutant_ != Mutant::kIdCursorOnly, fresh_ones = true;
  if (mutant_ == Mutant::kSeparateRescan && position.cursor > 0) {
    late_ones = ++position.reads % 4 == 0;
    fresh_ones = !late_ones;
    if (fresh_ones) seen.commit = position.commit;
  }
  std::vector<std::pair<Time, Found>> due;
  std::size_t looked = 0;
  if (!rows_.empty()) seen.last_id = fresh_ones ? rows_.rbegin()->first : position.cursor;
  EachThatMayGo(shard, [&](RowId id, const Stored& stored, const Retry* retry, bool behind) {
    const bool fresh = id > position.cursor;
    if (fresh && fresh_ones && looked++ == kMaxRows) {
      seen.cut = true;
      seen.last_id = id - 1;
      return false;
    }
    if (behind || (retry != nullptr && (retry->blocked || retry->due > clock()))) return true;
    const Found found{stored.row, retry == nullptr ? 0 : std::max(1u, retry->attempts)};
    if (fresh && fresh_ones)
      seen.fresh.push_back(found);
    else if (!fresh && retry != nullptr)
      due.emplace_back(retry->due, found);
    else if (!fresh && (stored.commit > position.commit || until_rescan_.contains(stored.row.key)) && late_ones)
      seen.late.push_back(found);
    return true;
  });
  std::stable_sort(due.begin(), due.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [when, found] : due) seen.due.push_back(found);
  return seen;
}

Snapshot ModelStore::LookBelow(std::uint32_t shard, const Position& position, Rescan& rescan) const {
  if (rescan.end == 0) rescan = {.cursor = 0, .end = std::max<RowId>(position.cursor, 1), .commit = commits_};
  Snapshot seen;
  seen.commit = commits_;
  seen.last_id = position.cursor;
  std::size_t looked = 0;
  EachThatMayGo(shard, [&](RowId id, const Stored& stored, const Retry* retry, bool behind) {
    if (id > position.cursor) return false;
    if (id > rescan.cursor && looked++ == kMaxRescanned) {
      seen.cut = true;
      seen.last_id = id - 1;
      return false;
    }
    if (behind || retry != nullptr) return true;
    if (id > rescan.cursor)
      seen.fresh.push_back({stored.row, 0});
    else if (stored.commit > rescan.commit && mutant_ != Mutant::kRescanWithoutLateRows)
      seen.late.push_back({stored.row, 0});
    return true;
  });
  return seen;
}

std::vector<Found> ModelStore::Choose(Snapshot snapshot, Position& position, std::uint32_t limit,
                                      const OutstandingRows& outstanding, bool& more) const {
  for (auto* rows : {&snapshot.late, &snapshot.due, &snapshot.fresh})
    std::erase_if(*rows, [&](const Found& found) { return outstanding(found.row.id); });
  std::vector<Found> chosen;
  const auto take = [&](const std::vector<Found>& rows, std::size_t most) {
    const std::size_t n = std::min({rows.size(), most, limit - chosen.size()});
    chosen.insert(chosen.end(), rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(n));
    return n;
  };
  // The position does not move until all late rows are chosen.
  std::erase_if(snapshot.late, [&](const Found& found) { return position.brought.contains(found.row.id); });
  more = take(snapshot.late, limit) < snapshot.late.size();
  if (more) {
    for (const Found& found : chosen) position.brought.insert(found.row.id);
    return chosen;
  }
  position.brought.clear();
  const std::size_t room = limit - chosen.size();
  std::size_t for_due = std::max(room / 2, room - std::min(room, snapshot.fresh.size()));
  if (room == 1 && !snapshot.fresh.empty() && !snapshot.due.empty())
    for_due = std::exchange(position.retry_is_next, !position.retry_is_next) ? 1 : 0;
  if (mutant_ == Mutant::kRetriesFirst) for_due = room;
  more = take(snapshot.due, for_due) < snapshot.due.size() || snapshot.cut;
  const std::size_t fresh = take(snapshot.fresh, limit);
  position.commit = snapshot.commit;
  if (fresh < snapshot.fresh.size()) {
    more = true;
    position.cursor = snapshot.fresh[fresh].row.id - 1;
  } else {
    position.cursor = std::max(position.cursor, snapshot.last_id);
  }
  return chosen;
}

std::uint32_t ModelStore::ChooseBelow(Snapshot snapshot, const Position& position, Rescan& rescan, std::uint32_t limit,
                                      const OutstandingRows& outstanding, std::vector<Found>& chosen) {
  for (const Found& found : snapshot.late) {
    if (outstanding(found.row.id) || rescan.brought.contains(found.row.id)) continue;
    if (chosen.size() == limit) return OUTBOX_RESCAN_GOES_ON;
    chosen.push_back(found);
    rescan.brought.insert(found.row.id);
  }
  rescan.brought.clear();
  rescan.commit = snapshot.commit;
  for (const Found& found : snapshot.fresh) {
    if (outstanding(found.row.id)) continue;
    if (chosen.size() == limit) {
      rescan.cursor = found.row.id - 1;
      return OUTBOX_RESCAN_GOES_ON;
    }
    chosen.push_back(found);
  }
  rescan.cursor = std::max(rescan.cursor, snapshot.last_id);
  if (rescan.cursor >= position.cursor) {
    rescan = {};
    return OUTBOX_RESCAN_DONE;
  }
  if (rescan.cursor < rescan.end) return OUTBOX_RESCAN_GOES_ON;
  rescan = {};
  return OUTBOX_RESCAN_ENDED;
}

std::vector<EventNumber> ModelStore::Readable(std::uint32_t shard, const Snapshot& snapshot) const {
  std::vector<EventNumber> readable;
  std::vector<int> met;
  for (const auto& [id, stored] : rows_) {
    if (stored.shard != shard) continue;
    const int key = stored.row.key;
    const bool behind = key != kNoKey && std::find(met.begin(), met.end(), key) != met.end();
    if (key != kNoKey && !behind) met.push_back(key);
    if (!behind && stored.commit <= snapshot.commit && !retries_.contains(id)) readable.push_back(stored.row.event);
  }
  return readable;
}

std::pair<std::size_t, std::size_t> ModelStore::RowsOf(std::uint32_t shard) const {
  std::size_t all = 0, unfailed = 0;
  for (const auto& [id, stored] : rows_) {
    if (stored.shard != shard) continue;
    ++all;
    unfailed += retries_.contains(id) ? 0 : 1;
  }
  return {all, unfailed};
}

outbox_code ModelStore::Confirm(const std::vector<Row>& rows, std::vector<std::uint8_t>& kept, bool owns) {
  kept.assign(rows.size(), 0);
  for (const Row& row : rows) {
    if (!rows_.contains(row.id) || ledger_.Of(row.event).stays != Stays::kRefused) continue;
    history_.Say("database refuses to delete {}", ledger_.Name(row.event));
    return OUTBOX_REFUSED;
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto it = rows_.find(rows[i].id);
    if (it == rows_.end()) continue;
    kept[i] = ledger_.Of(it->second.row.event).stays == Stays::kIgnored ? 1 : 0;
    if (kept[i] != 0) continue;
    history_.Say("database deletes {}", ledger_.Name(it->second.row.event));
    ledger_.Deleted(it->second.row.event);
    // The confirming relay has lost its lease, and the new owner has recorded a failure of the row since then. The
    // later rows of the key wait for a rescan by the new owner.
    if (!owns && retries_.contains(rows[i].id) && it->second.row.key != kNoKey)
      until_rescan_.insert(it->second.row.key);
    Erase(rows[i].id);
  }
  return OUTBOX_OK;
}

std::uint64_t ModelStore::RemoveDelivered() {
  std::vector<RowId> gone;
  for (auto& [id, retry] : retries_) {
    if (!retry.delivered || retry.due > clock()) continue;
    retry.due = clock() + kSecond;
    if (ledger_.Of(rows_.at(id).row.event).stays == Stays::kNot) gone.push_back(id);
  }
  for (const RowId id : gone) {
    history_.Say("database deletes {} after all", ledger_.Name(rows_.at(id).row.event));
    ledger_.Deleted(rows_.at(id).row.event);
    Erase(id);
  }
  return gone.size();
}

bool ModelStore::Fail(std::uint32_t shard, std::uint64_t token, const std::vector<Failure>& failures) {
  const auto marked = [&](const Failure& f) { return MarkedUnder(token, f.row.id); };
  const bool holds = marks_rows_ ? std::ranges::all_of(failures, marked) : leases.Holds(shard, token);
  if (!holds && mutant_ != Mutant::kUnfencedFail) return false;
  for (const Failure& f : failures) {
    const auto it = rows_.find(f.row.id);
    if (it == rows_.end()) continue;
    if (const auto mark = marks_.find(f.row.id); mark != marks_.end()) mark->second.relay = kNobody;
    ledger_.FailureTaken(f.row.event, holds);
    if (f.blamed)
      ledger_.Blamed(f.row.event);
    else if (f.disposition != OUTBOX_DELIVERED)
      ledger_.Charged(f.row.event);
    if (f.disposition == OUTBOX_DEAD) {
      history_.Say("database moves {} to the dead letters", ledger_.Name(f.row.event));
      ledger_.Died(f.row.event);
      Erase(f.row.id);
      continue;
    }
    Retry& retry = retries_[f.row.id];
    ++retry.attempts;
    retry.due = clock() + f.retry_after;
    retry.blocked = f.disposition == OUTBOX_BLOCK;
    retry.delivered = f.disposition == OUTBOX_DELIVERED;
    if (retry.delivered) {
      history_.Say("database records {} as delivered", ledger_.Name(f.row.event));
      ledger_.RecordedAsDelivered(f.row.event);
      continue;
    }
    history_.Say("database records failure {} of {}{}", retry.attempts, ledger_.Name(f.row.event),
                 retry.blocked ? ", blocked" : "");
  }
  return true;
}

bool ModelStore::MarkedUnder(std::uint64_t token, RowId row) const {
  const auto mark = marks_.find(row);
  return !rows_.contains(row) || (mark != marks_.end() && mark->second.token == token);
}

bool ModelStore::IsFreeFor(RowId row, RelayId relay) const {
  const auto mark = marks_.find(row);
  return mark == marks_.end() || mark->second.relay == kNobody || mark->second.relay == relay ||
         mark->second.until <= clock();
}

// Returns the rows that no other relay has marked. There is no position, so a failed row that is due may be queued
// behind a row of its key that was never returned or that comes back. Such a failed row is left out.
Snapshot ModelStore::LookAtFree(RelayId relay, const OutstandingRows& outstanding) const {
  Snapshot seen;
  seen.at = world_.now();
  std::vector<std::pair<Time, Found>> due;
  std::set<int> of_others, not_given;
  EachThatMayGo(0, [&](RowId id, const Stored& stored, const Retry* retry, bool behind) {
    if (!IsFreeFor(id, relay)) {
      if (mutant_ != Mutant::kMarksRowsAlone && stored.row.key != kNoKey) of_others.insert(stored.row.key);
      return true;
    }
    if (behind || of_others.contains(stored.row.key)) return true;
    if (retry == nullptr) {
      seen.fresh.push_back({stored.row, 0});
      if (stored.row.key != kNoKey && !outstanding(id)) not_given.insert(stored.row.key);
    } else if (!retry->blocked && retry->due <= clock() && !not_given.contains(stored.row.key))
      due.emplace_back(retry->due, Found{stored.row, std::max(1u, retry->attempts)});
    return true;
  });
  std::stable_sort(due.begin(), due.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [when, found] : due) seen.due.push_back(found);
  return seen;
}

Marked ModelStore::ReserveMarked(RelayId relay, Time reserve, std::uint32_t limit, bool without_retries,
                                 const OutstandingRows& outstanding) {
  Marked marked{.token = ++last_mark_, .at = world_.now()};
  Snapshot seen = LookAtFree(relay, outstanding);
  if (without_retries) seen.due.clear();
  Position from_oldest;
  marked.rows = Choose(std::move(seen), from_oldest, limit, outstanding, marked.more);
  for (const Found& found : marked.rows) {
    const auto before = marks_.find(found.row.id);
    if (before != marks_.end() && before->second.relay != kNobody && before->second.relay != relay)
      ledger_.LeaseEnds(0);
    marks_[found.row.id] = {relay, marked.token, clock() + reserve};
  }
  return marked;
}

bool ModelStore::ReleaseMarked(std::uint64_t token, const std::vector<Row>& rows) {
  if (!std::ranges::all_of(rows, [&](const Row& row) { return MarkedUnder(token, row.id); })) return false;
  for (const Row& row : rows)
    if (const auto mark = marks_.find(row.id); mark != marks_.end()) mark->second.relay = kNobody;
  return true;
}

void ModelStore::Erase(RowId id) {
  rows_.erase(id);
  marks_.erase(id);
  retries_.erase(id);
}

bool ModelStore::Reshard(std::uint32_t shards) {
  if (down()) return false;
  const bool ended = leases.AnyEnded(clock());
  if (!leases.Reshard(shards, clock())) return false;
  if (ended) ledger_.LeaseEnds(Ledger::kAllShards);
  ledger_.Resharded(shards);
  for (auto& [id, stored] : rows_) stored.shard = ledger_.Of(stored.row.event).shard;
  most_shards_ = std::max(most_shards_, shards);
  return true;
}

void ModelStore::Unblock(EventNumber e) {
  const auto retry = retries_.find(ledger_.Of(e).id);
  if (retry == retries_.end()) return;
  history_.Say("operator unblocks {}", ledger_.Name(e));
  retry->second = {0, clock(), false, false};
  ledger_.Of(e).ended = 0;
}

void ModelStore::Requeue(EventNumber e) {
  const Row row{TakeId(), e, ledger_.Of(e).key};
  history_.Say("operator requeues {} as {}", ledger_.Name(e), row.id);
  ledger_.Requeued(e, row.id, commits_ + 1);
  Commit({row});
}

std::vector<EventNumber> ModelStore::Blocked() const {
  std::vector<EventNumber> blocked;
  for (const auto& [id, retry] : retries_)
    if (retry.blocked) blocked.push_back(rows_.at(id).row.event);
  return blocked;
}

std::vector<EventNumber> ModelStore::Dead() const {
  std::vector<EventNumber> dead;
  for (EventNumber e = 0; e < ledger_.fates().size(); ++e)
    if (ledger_.Of(e).dead) dead.push_back(e);
  return dead;
}

std::vector<EventNumber> ModelStore::Movable() const {
  std::vector<EventNumber> movable;
  std::vector<int> held;
  for (const auto& [id, stored] : rows_) {
    const int key = stored.row.key;
    const auto retry = retries_.find(id);
    if (retry != retries_.end() && retry->second.delivered) {
      if (ledger_.Of(stored.row.event).stays == Stays::kNot) movable.push_back(stored.row.event);
      continue;
    }
    if (retry != retries_.end() && retry->second.blocked) {
      if (key != kNoKey) held.push_back(key);
    } else if (key == kNoKey || std::find(held.begin(), held.end(), key) == held.end()) {
      movable.push_back(stored.row.event);
    }
  }
  return movable;
}

std::optional<ModelStore::Waiting> ModelStore::LongestWaiting(std::uint32_t shard) const {
  std::optional<Waiting> longest;
  EachThatMayGo(shard, [&](RowId, const Stored& stored, const Retry* retry, bool behind) {
    if (behind || (retry != nullptr && (retry->blocked || retry->delivered))) return true;
    const EventNumber e = stored.row.event;
    const Time due = retry == nullptr ? 0 : retry->due - clock_ahead_;
    const Time since = std::max(ledger_.Of(e).committed_at, due);
    if (!longest || since < longest->since) longest = Waiting{e, since};
    return true;
  });
  return longest;
}

}  // namespace outbox::simulation
