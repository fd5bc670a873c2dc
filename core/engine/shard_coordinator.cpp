#include "engine/shard_coordinator.hpp"

#include <algorithm>
#include <chrono>

namespace outbox::engine {

using namespace shards;

// ---- the heartbeat ----

void ShardCoordinator::Advance(Time now) {
  now_ = std::max(now_, now);
  TryLeave();
  if (call_ == Call::kNone && now_ >= next_beat_) Beat();
}

void ShardCoordinator::Start() {
  runners_.insert(0);
  settings_.has_leases ? Beat() : HoldForever();
}

void ShardCoordinator::HoldForever() {
  leased_ = false;
  call_ = Call::kNone;
  next_beat_ = kForever;
  if (stopping_) return TryLeave();
  commands_.emplace_back(Hold{0, 0, kForever, false});
}

Time ShardCoordinator::NextDeadline() const {
  if (call_ != Call::kNone) return kForever;
  return std::min(next_beat_, stop_by_);
}

void ShardCoordinator::Beat() {
  soon_ = false;
  released_.clear();
  for (const auto& [shard, held] : held_)
    if (held.phase == Phase::kReleased) released_.push_back({shard, OUTBOX_SHARD_RELEASE, held.token});
  if (released_.empty() || stopping_) return AskHeartbeat();
  call_ = Call::kHandOver;
  commands_.emplace_back(ReleaseShards{released_, false, kForever});
}

void ShardCoordinator::AskHeartbeat() {
  call_ = Call::kHeartbeat;
  asked_ = now_;
  commands_.emplace_back(Heartbeat{});
}

void ShardCoordinator::HeartbeatAnswered(outbox_code code, const Lease& lease) {
  if (code == OUTBOX_UNSUPPORTED && !met_database_) return HoldForever();
  if (code != OUTBOX_OK) {
    if (code == OUTBOX_BAD_CONFIG && !met_database_) commands_.emplace_back(CannotStart{});
    return Rest(NextTry());
  }
  met_database_ = true;
  failures_ = 0;
  const bool was_idle = held_.empty();
  if (lease.shards_total != shards_) Resize(lease.shards_total);
  Renew(lease);
  if (held_.empty() && (!reported_standby_ || !was_idle)) {
    commands_.emplace_back(Standby{lease.namesakes});
    reported_standby_ = true;
  }
  NoteNamesakes(lease.namesakes);
  BeginNext();
}

// Returns the time until the next heartbeat. A relay that waits for a shard sends heartbeats often. A relay that shares
// the shards with other relays sends them often enough to notice within a second that another relay is gone.
Time ShardCoordinator::NextBeat() const {
  const Time renew = settings_.lease / 5;
  if (stopping_) return renew;
  const auto begun = std::ranges::count_if(held_, [](const auto& one) { return one.second.phase != Phase::kGained; });
  if (begun < share_) return settings_.poll_interval;
  return shards_ > 1 ? std::min(renew, kSecond / 2) : renew;
}

Time ShardCoordinator::NextTry() {
  return std::min<Time>(settings_.poll_interval << std::min(failures_++, 4u), settings_.lease / 5);
}

void ShardCoordinator::Rest(Time wait) {
  call_ = Call::kNone;
  next_beat_ = now_ + (soon_ && !stopping_ ? 0 : wait);
  TryLeave();
}

void ShardCoordinator::BeatSoon() {
  if (stopping_) return;
  if (call_ == Call::kNone)
    next_beat_ = now_;
  else
    soon_ = true;
}

void ShardCoordinator::NoteNamesakes(std::uint32_t namesakes) {
  if (namesakes == 0) {
    namesake_since_ = kForever;
    reported_namesake_ = false;
    return;
  }
  namesake_since_ = std::min(namesake_since_, asked_);
  if (reported_namesake_ || asked_ - namesake_since_ <= settings_.lease) return;
  reported_namesake_ = true;
  commands_.emplace_back(NamesakeRuns{});
}

// ---- the shards in the answer to a heartbeat ----

void ShardCoordinator::Renew(const Lease& lease) {
  share_ = (lease.shards_total + lease.live_relays - 1) / std::max(1U, lease.live_relays);
  const Time from = OUTBOX_MUTANT(kLeaseFromAnswer) ? now_ : asked_;
  const Time until = from + std::chrono::microseconds(lease.left).count();
  std::map<std::uint32_t, std::uint64_t> owned;
  for (const outbox_owned_shard& s : lease.owned) owned[s.shard] = s.token;
  // A lease that was regained under another token was lost in between.
  std::erase_if(held_, [&](const auto& one) {
    const auto now = owned.find(one.first);
    if (now != owned.end() && (now->second == one.second.token || OUTBOX_MUTANT(kRegainedIsRenewed))) return false;
    Lose(one.first, one.second);
    return true;
  });
  for (const outbox_owned_shard& s : lease.owned) RenewShard(s, until);
}

void ShardCoordinator::RenewShard(const outbox_owned_shard& owned, Time until) {
  Held& held = held_.try_emplace(owned.shard, Held{owned.token, until}).first->second;
  held.token = owned.token;
  held.until = until;
  if (held.phase == Phase::kReleased) return;
  if (owned.state == OUTBOX_SHARD_RELEASE && !stopping_) return HandOver(owned.shard, held);
  if (held.phase != Phase::kGained)
    commands_.emplace_back(Hold{owned.shard, held.token, until, false});
  else if (!stopping_)
    to_begin_.push_back(owned.shard);
}

void ShardCoordinator::HandOver(std::uint32_t shard, Held& held) {
  if (held.phase != Phase::kHandingOver) commands_.emplace_back(HandingOver{shard});
  if (!runners_.contains(shard)) {
    held.phase = Phase::kReleased;
    return BeatSoon();
  }
  held.phase = Phase::kHandingOver;
  commands_.emplace_back(Release{shard, ReleaseReason::kHandOver, held.token, held.until});
  if (!OUTBOX_MUTANT(kReleasedWhenAsked)) return;
  held.phase = Phase::kReleased;
  BeatSoon();
}

void ShardCoordinator::Lose(std::uint32_t shard, const Held& held) {
  if (first_steps_ && first_steps_->first == shard) first_steps_.reset();
  if (held.phase == Phase::kGained) return;
  commands_.emplace_back(LeaseLost{shard});
  if (runners_.contains(shard)) commands_.emplace_back(Release{shard, ReleaseReason::kLost, held.token, 0});
}

// Adapts to a new number of shards. The number changes only while no relay runs, or after the lease of a relay that
// could not be reached has expired. So no relay sends events under the old number any more.
void ShardCoordinator::Resize(std::uint32_t shards) {
  if (stopping_) {
    for (const auto& [shard, held] : held_) Lose(shard, held);
    held_.clear();
    return;
  }
  commands_.emplace_back(RemoveAllRunners{});
  runners_.clear();
  held_.clear();
  first_steps_.reset();
  shards_ = shards;
}

// ---- beginning shards, one after the other ----

void ShardCoordinator::BeginNext() {
  if (to_begin_.empty()) return Rest(NextBeat());
  const std::uint32_t shard = to_begin_.front();
  call_ = Call::kWasLost;
  commands_.emplace_back(AskWasLost{shard, held_.at(shard).token});
}

// Takes the answer to AskWasLost. If the call failed, the previous owner is assumed to have let its lease expire: an
// event of the shard may have been the reason.
void ShardCoordinator::WasLostAnswered(outbox_code code, bool lost) {
  if (to_begin_.empty()) return Rest(NextBeat());
  const std::uint32_t shard = to_begin_.front();
  const bool slow_start = code == OUTBOX_OK ? lost : code != OUTBOX_UNSUPPORTED;
  if (slow_start && first_steps_ && !OUTBOX_MUTANT(kFirstStepsTogether)) {
    to_begin_.pop_front();  // the answer to the next heartbeat adds the shard again
    return BeginNext();
  }
  if (slow_start) first_steps_ = {shard, held_.at(shard).token};
  if (runners_.contains(shard)) return Begin(shard, slow_start);
  call_ = Call::kMakeRunner;
  making_ = {shard, slow_start};
  commands_.emplace_back(MakeRunner{shard, shards_});
}

void ShardCoordinator::RunnerMade(bool made) {
  const auto [shard, slow_start] = making_;
  if (made && !stopping_) {
    runners_.insert(shard);
    return Begin(shard, slow_start);
  }
  if (made) commands_.emplace_back(RemoveRunner{shard});
  if (slow_start) first_steps_.reset();
  if (!to_begin_.empty()) to_begin_.pop_front();
  BeginNext();
}

void ShardCoordinator::Begin(std::uint32_t shard, bool slow_start) {
  Held& held = held_.at(shard);
  held.phase = Phase::kRunning;
  commands_.emplace_back(Delivering{shard, shards_, held.token, slow_start});
  commands_.emplace_back(Hold{shard, held.token, held.until, slow_start});
  to_begin_.pop_front();
  BeginNext();
}

void ShardCoordinator::FirstStepsOver(std::uint32_t shard, std::uint64_t token) {
  if (first_steps_ != std::pair(shard, token)) return;
  first_steps_.reset();
  BeatSoon();
}

// ---- releasing shards ----

void ShardCoordinator::Released(std::uint32_t shard, std::uint64_t token, ReleaseReason reason) {
  if (stopping_) {
    if (reason == ReleaseReason::kStop && runners_.contains(shard)) stopped_.insert(shard);
    return TryLeave();
  }
  const auto held = held_.find(shard);
  if (reason != ReleaseReason::kHandOver || held == held_.end() || held->second.token != token) return;
  if (held->second.phase != Phase::kHandingOver) return;
  held->second.phase = Phase::kReleased;
  if (first_steps_ && first_steps_->first == shard) first_steps_.reset();
  BeatSoon();
}

void ShardCoordinator::ShardsReleased(outbox_code code) {
  if (call_ == Call::kLeave) {
    if (code == OUTBOX_TIMEOUT && --tries_left_ > 0) return AskLeave();
    if (code != OUTBOX_OK) commands_.emplace_back(LeftToLease{});
    return Leave();
  }
  // If the release has failed, it is retried after the next heartbeat.
  if (code != OUTBOX_OK) released_.clear();
  for (const outbox_owned_shard& s : released_) {
    held_.erase(s.shard);
    if (!stopping_ && runners_.erase(s.shard) > 0) commands_.emplace_back(RemoveRunner{s.shard});
  }
  stopping_ ? Rest(0) : AskHeartbeat();
}

void ShardCoordinator::Stop(Time deadline) {
  if (stopping_) return;
  stopping_ = true;
  stop_by_ = deadline;
  to_begin_.clear();
  const Time resolve_by = now_ + (deadline - now_) / 2;
  for (const std::uint32_t shard : runners_) {
    const auto held = held_.find(shard);
    commands_.emplace_back(
        Release{shard, ReleaseReason::kStop, held == held_.end() ? 0 : held->second.token, resolve_by});
  }
  TryLeave();
}

void ShardCoordinator::TryLeave() {
  if (!stopping_ || call_ != Call::kNone || (!Resolved() && now_ < stop_by_)) return;
  complete_ = Resolved() || OUTBOX_MUTANT(kLeavesUnresolved);
  if (!met_database_) return Leave();
  tries_left_ = 2;
  AskLeave();
}

// Requests the release of the shards that the relay holds. The connection may have failed silently since the last
// heartbeat. So the timeout of the first attempt leaves time for a second attempt on a new connection.
void ShardCoordinator::AskLeave() {
  call_ = Call::kLeave;
  ReleaseShards release{{}, complete_, std::max(100 * kMillisecond, (stop_by_ - now_) / tries_left_)};
  // If events are unresolved, the shards are left to their leases: no other relay may begin them before the leases
  // expire.
  if (complete_) {
    for (const auto& [shard, held] : held_) release.shards.push_back({shard, OUTBOX_SHARD_OWNED, held.token});
  }
  commands_.emplace_back(std::move(release));
}

void ShardCoordinator::Leave() {
  call_ = Call::kLeft;
  commands_.emplace_back(Left{complete_});
}

// ---- checks ----

std::string ShardCoordinator::CheckInvariants() const {
  for (const auto& [shard, held] : held_) {
    const bool begun = held.phase == Phase::kRunning || held.phase == Phase::kHandingOver;
    if (begun && !runners_.contains(shard)) return "a shard is delivered without a runner";
    if (shard >= shards_ && !stopping_) return "a held shard does not exist in the outbox";
  }
  for (const std::uint32_t shard : to_begin_)
    if (!held_.contains(shard) || held_.at(shard).phase != Phase::kGained)
      return "a shard that is to begin is not in the phase kGained";
  if ((call_ == Call::kWasLost || call_ == Call::kMakeRunner) && to_begin_.empty() && !stopping_)
    return "a call is under way for a shard that is not to begin";
  if (stopping_ && !to_begin_.empty()) return "a shard is to begin while the relay stops";
  if (!std::ranges::includes(runners_, stopped_)) return "a stopped shard has no runner";
  if (!stopping_ && !stopped_.empty()) return "a shard has stopped while the relay runs";
  if (call_ == Call::kNone && leased_ && NextDeadline() >= kForever) return "no heartbeat is due";
  return CheckFirstSteps();
}

std::string ShardCoordinator::CheckFirstSteps() const {
  if (!first_steps_) return "";
  const auto held = held_.find(first_steps_->first);
  if (held == held_.end() || held->second.token != first_steps_->second)
    return "the shard in its first steps is not held";
  const bool being_made = call_ == Call::kMakeRunner && making_.first == first_steps_->first;
  if (held->second.phase == Phase::kReleased) return "the shard in its first steps was released";
  if (held->second.phase == Phase::kGained && !being_made) return "the shard in its first steps was not begun";
  return "";
}

}  // namespace outbox::engine
