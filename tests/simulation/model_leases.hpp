// The lease protocol of plugins/sql/leases.cpp, as short as it can be said. tests/contract runs the same random
// histories against it and against real plugins, so the simulator may rely on it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "engine/settings.hpp"
#include "outbox/adapter.hpp"

namespace outbox::simulation {

using engine::Time;
using RelayId = int;

class ModelLeases {
 public:
  explicit ModelLeases(std::uint32_t shards) : shards_(shards) {}

  // A heartbeat is a look without a lock, and then one transaction if the look asks for one.
  struct Look {
    Lease lease;
    bool registered = false;
    std::uint32_t free = 0, settled = 0;  // settled: owned, and not to be given back
  };
  enum class Next : std::uint8_t { kAnswer, kRenew, kTurn };
  [[nodiscard]] Look LookAround(RelayId relay, Time now) const;
  [[nodiscard]] static Next After(Look& look, Time lease);
  [[nodiscard]] Lease Turn(RelayId relay, Time lease, Time now);
  [[nodiscard]] bool Renew(RelayId relay, Time lease, Time now);  // false: not registered any more, so take a turn
  // All of it at one moment.
  [[nodiscard]] Lease Heartbeat(RelayId relay, Time lease, Time now);

  // outbox.poison/1, of who Holds
  [[nodiscard]] bool WasLost(std::uint32_t shard) const { return shard < shards_.size() && shards_[shard].lost; }
  std::uint32_t Mark(std::uint32_t shard, std::optional<std::uint64_t> row);

  void Return(RelayId relay, std::span<const outbox_owned_shard> shards, bool deregister);
  // What a read and a fenced write ask.
  [[nodiscard]] bool Holds(std::uint32_t shard, std::uint64_t token) const {
    return shard < shards_.size() && shards_[shard].owner && shards_[shard].token == token;
  }
  // For the checks: is it this relay's turn, by the database's clock?
  [[nodiscard]] bool Lives(std::uint32_t shard, RelayId relay, std::uint64_t token, Time now) const;
  [[nodiscard]] Time Left(RelayId relay, Time now) const;
  [[nodiscard]] bool AnyEnded(Time now) const;  // of a relay that owns something and has not left
  void ExpireAll(Time now);
  // As after a failover to a replica that is behind: nobody is registered, and every shard is free.
  void Vanish();

  // As `migrate --shards` does it. False: a relay runs.
  [[nodiscard]] bool Reshard(std::uint32_t shards, Time now);
  [[nodiscard]] std::uint32_t shards() const { return static_cast<std::uint32_t>(shards_.size()); }

 private:
  struct Shard {
    std::optional<RelayId> owner = {};
    std::uint64_t token = 0;
    bool leaving = false;
    bool lost = false;  // by the owner before
    std::optional<std::uint64_t> suspect = {};
    std::uint64_t suspect_token = 0;
    std::uint32_t suspect_owners = 0;
  };
  [[nodiscard]] Lease Own(RelayId relay) const;

  std::map<RelayId, Time> relays_;  // when each one's lease ends
  std::vector<Shard> shards_;
};

}  // namespace outbox::simulation
