// The commands of ShardCoordinator: what its shell has to do, and what the shell has to log.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "engine/release_reason.hpp"
#include "engine/settings.hpp"
#include "outbox/adapter.hpp"

namespace outbox::engine::shards {

// ---- calls: the coordinator awaits the answer of one before it asks for another ----

// Send a heartbeat. Answer: HeartbeatAnswered.
struct Heartbeat {};
// Query whether the previous owner let its lease of the shard expire. Answer: WasLostAnswered.
struct AskWasLost {
  std::uint32_t shard;
  std::uint64_t token;
};
// Make the runner of a shard, one of `shards_total`. Answer: RunnerMade.
struct MakeRunner {
  std::uint32_t shard, shards_total;
};
// Release these shards in the database and, if `deregister`, remove this relay from its list. Answer: ShardsReleased.
struct ReleaseShards {
  std::vector<outbox_owned_shard> shards;
  bool deregister;
  Time timeout;  // kForever: that of any call
};

// ---- runners ----

// The lease of the shard under `token` lasts until `until`. A token that the runner does not know begins a new lease;
// `slow_start` is said only then.
struct Hold {
  std::uint32_t shard;
  std::uint64_t token;
  Time until;
  bool slow_start;
};
// `until`: end of the lease for kHandOver, deadline for kStop. The runner answers both with Released.
struct Release {
  std::uint32_t shard;
  ReleaseReason reason;
  std::uint64_t token;
  Time until;
};
struct RemoveRunner {
  std::uint32_t shard;
};
struct RemoveAllRunners {};

// ---- the relay ----

// The first contact has shown that the database or the configuration is wrong: waiting does not help.
struct CannotStart {};
// The last command. `complete`: nothing was left unresolved.
struct Left {
  bool complete;
};

// ---- facts to log ----

struct Delivering {
  std::uint32_t shard, shards_total;
  std::uint64_t token;
  bool slow_start;
};
struct HandingOver {
  std::uint32_t shard;
};
struct LeaseLost {
  std::uint32_t shard;
};
// No shard is held; `namesakes` relays with the same configured id are registered.
struct Standby {
  std::uint32_t namesakes;
};
// A namesake has been running for longer than a lease lasts, so it is no predecessor that was killed.
struct NamesakeRuns {};
// The last ReleaseShards of a stop has failed: the shards are free when the lease ends.
struct LeftToLease {};

using Command =
    std::variant<Heartbeat, AskWasLost, MakeRunner, ReleaseShards, Hold, Release, RemoveRunner, RemoveAllRunners,
                 CannotStart, Left, Delivering, HandingOver, LeaseLost, Standby, NamesakeRuns, LeftToLease>;

}  // namespace outbox::engine::shards
