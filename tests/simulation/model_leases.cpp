#include "tests/simulation/model_leases.hpp"

#include <algorithm>

namespace outbox::simulation {
namespace {

Millis ToMillis(Time t) { return Millis(t / engine::kMillisecond); }
std::uint32_t Share(std::size_t shards, std::size_t relays) {
  return static_cast<std::uint32_t>((shards + relays - 1) / relays);
}

}  // namespace

Lease ModelLeases::Own(RelayId relay) const {
  Lease lease;
  lease.shards_total = static_cast<std::uint32_t>(shards_.size());
  for (std::uint32_t i = 0; i < shards_.size(); ++i) {
    if (shards_[i].owner != relay) continue;
    lease.owned.push_back({i, shards_[i].leaving ? OUTBOX_SHARD_RELEASE : OUTBOX_SHARD_OWNED, shards_[i].token});
  }
  return lease;
}

ModelLeases::Look ModelLeases::LookAround(RelayId relay, Time now) const {
  Look look;
  look.lease = Own(relay);
  for (const auto& [id, expires] : relays_) {
    if (id == relay) {
      look.registered = true;
      look.lease.left = ToMillis(expires - now);
    } else if (expires > now) {
      ++look.lease.live_relays;
    }
  }
  for (const Shard& shard : shards_) {
    const auto owner = shard.owner ? relays_.find(*shard.owner) : relays_.end();
    if (owner == relays_.end() || owner->second <= now) ++look.free;
    if (shard.owner == relay && !shard.leaving) ++look.settled;
  }
  return look;
}

ModelLeases::Next ModelLeases::After(Look& look, Time lease) {
  const std::uint32_t total = look.lease.shards_total, share = Share(total, look.lease.live_relays);
  if (look.lease.owned.empty() && look.free == 0 && look.lease.live_relays > total) {
    look.lease.left = Millis(0);  // No shard is left for the relay, so it does not register.
    return Next::kAnswer;
  }
  if (!look.registered || (look.free > 0 && look.settled < share) || look.settled > share) return Next::kTurn;
  const Millis left = look.lease.left, whole = ToMillis(lease);
  return left * 3 < whole * 2 || left > whole ? Next::kRenew : Next::kAnswer;
}

Lease ModelLeases::Turn(RelayId relay, Time lease, Time now) {
  relays_[relay] = now + lease;
  std::erase_if(relays_, [&](const auto& one) { return one.second <= now && one.first != relay; });
  for (Shard& shard : shards_)
    if (shard.owner && !relays_.contains(*shard.owner)) {
      shard.owner.reset();
      shard.lost = true;
    }
  const std::uint32_t share = Share(shards_.size(), relays_.size());
  auto mine = static_cast<std::uint32_t>(
      std::count_if(shards_.begin(), shards_.end(), [&](const Shard& s) { return s.owner == relay && !s.leaving; }));
  for (Shard& shard : shards_) {
    if (shard.owner || mine >= share) continue;
    shard.owner = relay;
    ++shard.token;
    shard.leaving = false;
    ++mine;
  }
  for (auto shard = shards_.rbegin(); shard != shards_.rend() && mine > share; ++shard) {
    if (shard->owner != relay || shard->leaving) continue;
    shard->leaving = true;
    --mine;
  }
  Lease got = Own(relay);
  got.live_relays = static_cast<std::uint32_t>(relays_.size());
  got.left = ToMillis(lease);
  return got;
}

bool ModelLeases::Renew(RelayId relay, Time lease, Time now) {
  const auto row = relays_.find(relay);
  if (row == relays_.end()) return false;
  row->second = now + lease;
  return true;
}

Lease ModelLeases::Heartbeat(RelayId relay, Time lease, Time now) {
  Look look = LookAround(relay, now);
  switch (After(look, lease)) {
    case Next::kAnswer:
      return look.lease;
    case Next::kRenew:
      if (!Renew(relay, lease, now)) break;
      look.lease.left = ToMillis(lease);
      return look.lease;
    case Next::kTurn:
      break;
  }
  return Turn(relay, lease, now);
}

void ModelLeases::Return(RelayId relay, std::span<const outbox_owned_shard> shards, bool deregister) {
  for (const outbox_owned_shard& one : shards) {
    if (one.shard >= shards_.size()) continue;
    Shard& shard = shards_[one.shard];
    if (shard.owner == relay && shard.token == one.token) shard.owner.reset();
  }
  if (deregister) relays_.erase(relay);
}

std::uint32_t ModelLeases::Mark(std::uint32_t shard, std::optional<std::uint64_t> row) {
  Shard& s = shards_[shard];
  if (!row || row != s.suspect)
    s.suspect_owners = row ? 1 : 0;
  else if (s.suspect_token != s.token)
    ++s.suspect_owners;
  s.lost = s.lost && row;
  s.suspect = row;
  s.suspect_token = s.token;
  return s.suspect_owners;
}

bool ModelLeases::Lives(std::uint32_t shard, RelayId relay, std::uint64_t token, Time now) const {
  const auto row = relays_.find(relay);
  return Holds(shard, token) && shards_[shard].owner == relay && row != relays_.end() && row->second > now;
}

Time ModelLeases::Left(RelayId relay, Time now) const {
  const auto row = relays_.find(relay);
  return row == relays_.end() ? 0 : row->second - now;
}

bool ModelLeases::AnyEnded(Time now) const {
  return std::ranges::any_of(shards_, [&](const Shard& s) {
    const auto owner = s.owner ? relays_.find(*s.owner) : relays_.end();
    return owner != relays_.end() && owner->second <= now;
  });
}

bool ModelLeases::Reshard(std::uint32_t shards, Time now) {
  if (std::ranges::any_of(relays_, [now](const auto& one) { return one.second > now; })) return false;
  for (Shard& shard : shards_) {
    shard.owner.reset();
    ++shard.token;
  }
  shards_.resize(shards);
  return true;
}

void ModelLeases::Vanish() {
  relays_.clear();
  for (Shard& shard : shards_) {
    shard.lost = shard.lost || shard.owner.has_value();
    shard.owner.reset();
  }
}

void ModelLeases::ExpireAll(Time now) {
  for (auto& [relay, expires] : relays_) expires = now;
}

}  // namespace outbox::simulation
