#include "engine/shard_assignment.hpp"

#include <algorithm>

namespace outbox::engine {

std::vector<LeaseAction> ShardAssignment::Answered(const Lease& lease, Time asked) {
  using What = LeaseAction::What;
  failures_ = 0;
  share_ = (lease.shards_total + lease.live_relays - 1) / std::max(1U, lease.live_relays);
  const Time until = asked + std::chrono::microseconds(lease.left).count();

  std::vector<LeaseAction> orders;
  std::map<std::uint32_t, std::uint64_t> now_owned;
  for (const outbox_owned_shard& s : lease.owned) now_owned[s.shard] = s.token;
  for (const auto& [shard, token] : owned_) {
    if (now_owned.contains(shard)) continue;
    handing_over_.erase(shard);
    orders.push_back({What::kLost, shard, token, 0, true});
  }
  for (const outbox_owned_shard& s : lease.owned) {
    if (s.state == OUTBOX_SHARD_RELEASE)
      orders.push_back({What::kHandOver, s.shard, s.token, until, handing_over_.insert(s.shard).second});
    else
      orders.push_back({What::kWork, s.shard, s.token, until, !owned_.contains(s.shard)});
  }
  owned_ = std::move(now_owned);
  return orders;
}

// Who waits for a shard looks often. Who shares them notices within a second that another one is gone.
Time ShardAssignment::NextBeat() const {
  if (owned_.size() < share_) return poll_interval_;
  const Time renew = lease_ / 5;
  return shards_ > 1 ? std::min(renew, kSecond / 2) : renew;
}

Time ShardAssignment::NextTry() { return std::min<Time>(poll_interval_ << std::min(failures_++, 4u), lease_ / 5); }

bool ShardAssignment::MeetsNamesake(const Lease& lease, Time asked) {
  if (lease.namesakes == 0) {
    namesake_since_ = kForever;
    told_namesake_ = false;
    return false;
  }
  namesake_since_ = std::min(namesake_since_, asked);
  if (told_namesake_ || asked - namesake_since_ <= lease_) return false;
  told_namesake_ = true;
  return true;
}

void ShardAssignment::Begin(std::uint32_t shards) {
  shards_ = shards;
  owned_.clear();
  handing_over_.clear();
}

std::vector<outbox_owned_shard> ShardAssignment::StillHeld(
    const std::map<std::uint32_t, std::uint64_t>& wound_up) const {
  std::vector<outbox_owned_shard> shards;
  for (const auto& [shard, token] : wound_up)
    if (const auto held = owned_.find(shard); held != owned_.end() && held->second == token)
      shards.push_back({shard, OUTBOX_SHARD_RELEASE, token});
  return shards;
}

void ShardAssignment::Returned(std::span<const outbox_owned_shard> shards) {
  for (const outbox_owned_shard& s : shards) {
    owned_.erase(s.shard);
    handing_over_.erase(s.shard);
  }
}

}  // namespace outbox::engine
