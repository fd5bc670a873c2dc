#include "tests/simulation/model_store.hpp"

#include <algorithm>

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

Snapshot ModelStore::Look(std::uint32_t shard, Position& position) const {
  Snapshot seen;
  seen.commit = commits_;
  bool late_ones = mutant_ != Mutant::kIdCursorOnly, fresh_ones = true;
  if (mutant_ == Mutant::kSeparateSweep && position.cursor > 0) {
    late_ones = ++position.reads % 4 == 0;
    fresh_ones = !late_ones;
    if (fresh_ones) seen.commit = position.commit;
  }
  std::vector<int> held;  // few, if any
  for (const auto& [id, stored] : rows_) {
    if (stored.shard != shard) continue;
    const int key = stored.row.key;
    bool returned_later = false;
    std::uint32_t attempts = 0;
    if (!retries_.empty()) {
      const bool behind = key != kNoKey && std::find(held.begin(), held.end(), key) != held.end();
      if (const auto retry = retries_.find(id); retry != retries_.end()) {
        if (key != kNoKey && mutant_ != Mutant::kSkipBlockedHead) held.push_back(key);
        attempts = std::max(1u, retry->second.attempts);
        returned_later = !retry->second.blocked && retry->second.due <= clock();
        if (!returned_later) continue;
      }
      if (behind) continue;
    }
    const bool passed = id <= position.cursor && (stored.commit <= position.commit || !late_ones);
    if ((passed || (id > position.cursor && !fresh_ones)) && !returned_later) continue;
    seen.rows.push_back({stored.row, attempts});
  }
  if (!rows_.empty()) seen.last_id = fresh_ones ? rows_.rbegin()->first : position.cursor;
  return seen;
}

void ModelStore::Confirm(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    const auto it = rows_.find(row.id);
    if (it == rows_.end()) continue;
    history_.Say("database deletes {}", ledger_.Name(it->second.row.event));
    ledger_.Deleted(it->second.row.event);
    Erase(row.id);
  }
}

bool ModelStore::Fail(std::uint32_t shard, std::uint64_t token, const std::vector<Failure>& failures) {
  const bool holds = leases.Holds(shard, token);
  if (!holds && mutant_ != Mutant::kUnfencedFail) return false;
  for (const Failure& f : failures) {
    const auto it = rows_.find(f.row.id);
    if (it == rows_.end()) continue;
    ledger_.FailureTaken(f.row.event, holds);
    if (f.blamed) ledger_.Blamed(f.row.event);
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
    history_.Say("database records failure {} of {}{}", retry.attempts, ledger_.Name(f.row.event),
                 retry.blocked ? ", blocked" : "");
  }
  return true;
}

void ModelStore::Erase(RowId id) {
  rows_.erase(id);
  retries_.erase(id);
}

void ModelStore::Unblock(EventNumber e) {
  const auto retry = retries_.find(ledger_.Of(e).id);
  if (retry == retries_.end()) return;
  history_.Say("operator unblocks {}", ledger_.Name(e));
  retry->second = {0, clock(), false};
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
    if (retry != retries_.end() && retry->second.blocked) {
      if (key != kNoKey) held.push_back(key);
    } else if (key == kNoKey || std::find(held.begin(), held.end(), key) == held.end()) {
      movable.push_back(stored.row.event);
    }
  }
  return movable;
}

}  // namespace outbox::simulation
