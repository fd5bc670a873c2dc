// The leases of the shards of an Outbox. Shards are assigned by the same rules as in plugins/sql/leases.cpp, so that
// all adapters behave in the same way.
#include <algorithm>
#include <string>

#include "outbox.hpp"

namespace outbox::memory {

std::uint32_t Shard::MarkSuspect(std::optional<RowNumber> id) {
  if (!id || id != suspect)
    suspect_owners = id ? 1 : 0;
  else if (suspect_token != token)
    ++suspect_owners;
  lost = lost && id;
  suspect = id;
  suspect_token = token;
  return suspect_owners;
}

Shard& Outbox::Leased(const Call& call) {
  if (call.shard < shards.size() && !shards[call.shard].owner.empty() && shards[call.shard].token == call.token)
    return shards[call.shard];
  throw Error(OUTBOX_LEASE_LOST, "shard " + std::to_string(call.shard) + " is not leased under this token");
}

bool Outbox::Lives(const std::string& relay, Clock::time_point now) const {
  const auto lease = relays.find(relay);
  return lease != relays.end() && lease->second > now;
}

void Outbox::DropExpiredRelays(std::string_view but_not) {
  const auto now = Clock::now();
  std::erase_if(relays, [&](const auto& relay) { return relay.first != but_not && relay.second <= now; });
  for (Shard& shard : shards)
    if (!shard.owner.empty() && !relays.contains(shard.owner)) {
      shard.owner.clear();
      shard.lost = true;
    }
}

void Outbox::Share(const std::string& relay, std::size_t share) {
  auto settled = static_cast<std::size_t>(
      std::ranges::count_if(shards, [&](const Shard& s) { return s.owner == relay && !s.leaving; }));
  for (Shard& shard : shards) {
    if (settled >= share || !shard.owner.empty()) continue;
    shard.owner = relay;
    ++shard.token;
    shard.leaving = false;
    ++settled;
  }
  for (auto shard = shards.rbegin(); shard != shards.rend() && settled > share; ++shard) {
    if (shard->owner != relay || shard->leaving) continue;
    shard->leaving = true;
    --settled;
  }
}

Lease Outbox::Heartbeat(const std::string& me, Millis duration) {
  const auto now = Clock::now();
  const auto count = [&](auto which) { return static_cast<std::size_t>(std::ranges::count_if(shards, which)); };
  const auto share = [&](std::size_t live) { return (shards.size() + live - 1) / live; };

  Lease lease;
  lease.shards_total = static_cast<std::uint32_t>(shards.size());
  for (const auto& [relay, lease_ends] : relays) lease.live_relays += relay != me && lease_ends > now ? 1 : 0;
  const std::size_t free = count([&](const Shard& s) { return !Lives(s.owner, now); });
  const std::size_t settled = count([&](const Shard& s) { return s.owner == me && !s.leaving; });
  const bool owns = count([&](const Shard& s) { return s.owner == me; }) > 0;
  // A namesake is another live relay with the same name and another incarnation. An id is NAME#INCARNATION, and all
  // incarnations have the same length. An id without a # has no name: npos + 1 is 0.
  const std::string name = me.substr(0, me.rfind('#') + 1);
  for (const auto& [relay, lease_ends] : relays)
    lease.namesakes +=
        !name.empty() && relay != me && lease_ends > now && relay.size() == me.size() && relay.starts_with(name) ? 1
                                                                                                                 : 0;
  // While every shard has a live owner, and no owner has more than one, another relay could only wait, so it need not
  // register. A relay with a namesake registers nevertheless, so that the namesake can report it.
  if (!owns && free == 0 && lease.live_relays > shards.size() && lease.namesakes == 0) return lease;

  const std::size_t fair = share(lease.live_relays);
  const bool changes = !relays.contains(me) || (free > 0 && settled < fair) || settled > fair;
  relays[me] = now + duration;
  lease.left = duration;
  if (changes) {
    DropExpiredRelays(me);
    Share(me, share(relays.size()));
    lease.live_relays = static_cast<std::uint32_t>(relays.size());
  }
  for (std::uint32_t i = 0; i < shards.size(); ++i)
    if (shards[i].owner == me)
      lease.owned.push_back({i, shards[i].leaving ? OUTBOX_SHARD_RELEASE : OUTBOX_SHARD_OWNED, shards[i].token});
  return lease;
}

void Outbox::ReleaseShards(std::string_view relay_id, std::span<const outbox_owned_shard> returned, bool deregister) {
  for (const outbox_owned_shard& one : returned) {
    if (one.shard >= shards.size()) continue;
    Shard& shard = shards[one.shard];
    if (shard.owner == relay_id && shard.token == one.token) shard.owner.clear();
  }
  if (!deregister) return;
  if (const auto me = relays.find(relay_id); me != relays.end()) relays.erase(me);
}

}  // namespace outbox::memory
