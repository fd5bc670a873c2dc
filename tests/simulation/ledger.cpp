#include "tests/simulation/ledger.hpp"

#include <algorithm>

namespace outbox::simulation {

std::string Ledger::Name(EventNumber e) const {
  const Fate& fate = fates_[e];
  return fate.key == kNoKey ? fmt::format("row {}", fate.id) : fmt::format("row {} of key {}", fate.id, fate.key);
}

EventNumber Ledger::Written(const Fate& fate) {
  const auto e = static_cast<EventNumber>(fates_.size());
  fates_.push_back(fate);
  if (fate.key != kNoKey) of_key_[static_cast<std::size_t>(fate.key)].push_back(e);
  return e;
}

void Ledger::Requeued(EventNumber e, RowId id, std::uint32_t commit) {
  Fate& fate = fates_[e];
  fate.id = id;
  fate.commit = commit;
  fate.dead = false;
  fate.ended = 0;
  fate.requeued = true;
}

void Ledger::Sent(EventNumber e, bool lease_lives) {
  fates_[e].first_sent = std::min(fates_[e].first_sent, world_.now());
  if (!lease_lives && world_.now() > unsure_until_) Break("I7 lease: " + Name(e) + " was sent without a live lease");
}

void Ledger::Stored(const Row& row, std::uint32_t lane) {
  const EventNumber e = row.event;
  history_.Say("broker stores {} in lane {}", Name(e), lane);
  if (e >= fates_.size() || fates_[e].rolled_back || fates_[e].commit == 0)
    return Break("I2 ghost: " + (e < fates_.size() ? Name(e) : "an unknown row") + " was never committed");
  Fate& fate = fates_[e];
  if (row.key != fate.key ||
      std::none_of(lanes_.begin(), lanes_.end(), [&](std::uint32_t n) { return lane == fate.spread % n; }))
    return Break("I3 integrity: " + Name(e) + " is another record");
  Moved(e);
  if (fate.stored++ > 0) return CheckDuplicate(e);
  ++delivered_;
  --waiting_;
  CheckOrder(e);
  if (only_refusals_) CheckFlow(e);
}

// Checks invariant I4 (order, see ledger.hpp). A requeued event is exempt.
void Ledger::CheckOrder(EventNumber e) {
  const Fate& fate = fates_[e];
  if (fate.key == kNoKey || fate.requeued) return;
  for (const EventNumber other : of_key_[static_cast<std::size_t>(fate.key)]) {
    const Fate& o = fates_[other];
    if (o.commit == 0 || o.id >= fate.id || o.commit > fate.commit) continue;
    if (o.stored > 0 || o.dead || o.requeued) continue;
    return Break("I4 order: " + Name(e) + " before " + Name(other));
  }
}

void Ledger::CheckFlow(EventNumber e) {
  const auto is_poison = [this](EventNumber other) {
    return fates_[other].poison != Poison::kNone || fates_[other].fixed;
  };
  const Fate& fate = fates_[e];
  if (fate.requeued || is_poison(e)) return;
  if (fate.key != kNoKey) {
    const auto& of_key = of_key_[static_cast<std::size_t>(fate.key)];
    if (std::any_of(of_key.begin(), of_key.end(), is_poison)) return;
  }
  const Time since = std::max(fate.committed_at, kRelaysWork), waited = world_.now() - since;
  // Each refusal after `since` costs a reset, and so the time of three answers: to the refused request, to the request
  // that proves the lane, and to the requests after it.
  const auto refusals = refused_at_.end() - std::lower_bound(refused_at_.begin(), refused_at_.end(), since);
  // The broker answers the events that were committed before this one, at least half a window at a time.
  const Time before = 2 * fate.behind / window_;
  if (waited > kSlowestFlow + (std::max<Time>(15, 3 * refusals) + let_go_ + before) * broker_answers_)
    Break(fmt::format("I10 flow: {} waited {} ms, though only others are refused", Name(e), waited / kMillisecond));
}

void Ledger::CheckDuplicate(EventNumber e) {
  ++duplicates_;
  for (const FaultTime& f : faults_)
    if ((f.shard == kAllShards || f.shard == fates_[e].shard) && f.begin <= world_.now() &&
        f.end >= fates_[e].first_sent)
      return;
  Break("I5 duplicate: " + Name(e) + " is twice in the log without a fault between");
}

void Ledger::Deleted(EventNumber e) {
  Moved(e);
  if (!fates_[e].acked) Break("I6 confirm: " + Name(e) + " was deleted and never acknowledged");
}

void Ledger::RecordedAsDelivered(EventNumber e) {
  if (!fates_[e].acked) Break("I11 delivered: " + Name(e) + " is recorded so and was never acknowledged");
  Moved(e);
  fates_[e].recorded_at = std::min(fates_[e].recorded_at, world_.now());
}

void Ledger::SentOfRead(EventNumber e, Time read_at) {
  if (read_at > fates_[e].recorded_at)
    Break("I11 delivered: " + Name(e) + " was recorded so, then read and sent again");
}

void Ledger::FailureTaken(EventNumber e, bool token_holds) {
  Moved(e);
  if (fates_[e].key != kNoKey) failed_keys_.insert(fates_[e].key);
  // A failure whose write timed out may be recorded late. The late record replaces the record that the event was
  // delivered, and the event is sent again.
  if (fates_[e].recorded_at < kForever) Fault(fates_[e].shard);
  fates_[e].recorded_at = kForever;
  if (!token_holds) Break("I7 lease: a stale owner's failure of " + Name(e) + " was taken");
}

void Ledger::Charged(EventNumber e) {
  if (fates_[e].poison == Poison::kNone && !fates_[e].fixed)
    Break("I14 innocent: " + Name(e) + " is charged an attempt, and nothing is wrong with it");
}

void Ledger::EndsRelay(EventNumber e) {
  Fate& fate = fates_[e];
  history_.Say("{} ends the relay that sends it", Name(e));
  if (++fate.ended > most_ended_ && only_killers_)
    Break(fmt::format("I8 killer: {} has ended {} relays", Name(e), fate.ended));
}

void Ledger::Blamed(EventNumber e) {
  if (fates_[e].ended == 0 && only_killers_) Break("I8 killer: " + Name(e) + " is blamed for what another one does");
}

void Ledger::Fault(std::uint32_t shard, Time lasts) {
  const Time end = world_.now() + lasts;
  last_fault_ = std::max(last_fault_, end);
  faults_.push_back({shard, world_.now(), end});
}

void Ledger::LeaseEnds(std::uint32_t shard) {
  history_.Say("a lease ends");
  if (!leases_may_end_) Break("I7 lease: one ends though nothing kept it from being renewed");
  Fault(shard);
}

// The times of faults and movements that were recorded for the old shards do not fit the new shards. Therefore each
// earlier fault now counts for all shards, and each new shard counts as having just moved.
void Ledger::Resharded(std::uint32_t shards) {
  history_.Say("operator sets the number of shards to {}", shards);
  for (Fate& fate : fates_) fate.shard = ShardOf(fate.spread, shards);
  for (FaultTime& fault : faults_) fault.shard = kAllShards;
  for (std::uint32_t shard = 0; shard < shards; ++shard) moved_at_[shard] = world_.now();
}

void Ledger::Break(std::string why) {
  if (!broken_.empty()) return;
  history_.Say("BROKEN {}", why);
  broken_ = std::move(why);
}

}  // namespace outbox::simulation
