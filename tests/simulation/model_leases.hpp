// A minimal model of the lease protocol of plugins/sql/leases.cpp. tests/contract runs the same random histories
// against this model and against real plugins, so the simulator may rely on it.
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

  // The state that a heartbeat reads first, without a lock. If that state requires it, the heartbeat then runs one
  // transaction.
  struct Look {
    Lease lease;
    bool registered = false;
    // `settled` is the number of shards that the relay owns and does not have to release.
    std::uint32_t free = 0, settled = 0;
  };
  enum class Next : std::uint8_t { kAnswer, kRenew, kTurn };
  [[nodiscard]] Look LookAround(RelayId relay, Time now) const;
  [[nodiscard]] static Next After(Look& look, Time lease);
  [[nodiscard]] Lease Turn(RelayId relay, Time lease, Time now);
  // Renews the relay's lease. Returns false if the relay is no longer registered; the caller then calls Turn.
  [[nodiscard]] bool Renew(RelayId relay, Time lease, Time now);
  // Performs all reads and writes of a heartbeat in one step. Returns the resulting lease.
  [[nodiscard]] Lease Heartbeat(RelayId relay, Time lease, Time now);

  // WasLost and Mark model the extension outbox.poison/1. REQUIRES: Holds() is true for the caller's token.
  [[nodiscard]] bool WasLost(std::uint32_t shard) const { return shard < shards_.size() && shards_[shard].lost; }
  std::uint32_t Mark(std::uint32_t shard, std::optional<std::uint64_t> row);

  void Return(RelayId relay, std::span<const outbox_owned_shard> shards, bool deregister);
  // True if `token` is the current token of the shard. Each read and each fenced write is guarded by this check.
  [[nodiscard]] bool Holds(std::uint32_t shard, std::uint64_t token) const {
    return shard < shards_.size() && shards_[shard].owner && shards_[shard].token == token;
  }
  // True if the relay's lease of the shard is alive by the database's clock. Used only by the simulator's checks.
  [[nodiscard]] bool Lives(std::uint32_t shard, RelayId relay, std::uint64_t token, Time now) const;
  [[nodiscard]] Time Left(RelayId relay, Time now) const;
  // True if a shard is owned by a relay that has not left and whose lease has expired.
  [[nodiscard]] bool AnyEnded(Time now) const;
  void ExpireAll(Time now);
  // Changes the leases as a failover to a replica that lags behind does: no relay is registered, and every shard is
  // free.
  void Vanish();

  // Changes the number of shards as `migrate --shards` does. Returns false if a relay is running.
  [[nodiscard]] bool Reshard(std::uint32_t shards, Time now);
  [[nodiscard]] std::uint32_t shards() const { return static_cast<std::uint32_t>(shards_.size()); }

 private:
  struct Shard {
    std::optional<RelayId> owner = {};
    std::uint64_t token = 0;
    bool leaving = false;
    bool lost = false;  // True if the last owner let its lease expire.
    std::optional<std::uint64_t> suspect = {};
    std::uint64_t suspect_token = 0;
    std::uint32_t suspect_owners = 0;
  };
  [[nodiscard]] Lease Own(RelayId relay) const;

  std::map<RelayId, Time> relays_;  // Maps a relay to the end of its lease.
  std::vector<Shard> shards_;
};

}  // namespace outbox::simulation
