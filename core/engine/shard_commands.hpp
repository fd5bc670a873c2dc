// The commands of ShardCoordinator: the calls and changes that its shell has to carry out, and the facts that the shell
// has to log.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "engine/release_reason.hpp"
#include "engine/settings.hpp"
#include "outbox/adapter.hpp"

namespace outbox::engine::shards {

// ---- calls: the coordinator waits for the answer to a call before it requests another ----

// Send a heartbeat. Answer: HeartbeatAnswered.
struct Heartbeat {};
// Query whether the previous owner let its lease of the shard expire. Answer: WasLostAnswered.
struct AskWasLost {
  std::uint32_t shard;
  std::uint64_t token;
};
// Make the runner of a shard; the outbox has `shards_total` shards. Answer: RunnerMade.
struct MakeRunner {
  std::uint32_t shard, shards_total;
};
// Release these shards in the database and, if `deregister`, remove this relay from the database's list of relays.
// Answer: ShardsReleased.
struct ReleaseShards {
  std::vector<outbox_owned_shard> shards;
  bool deregister;
  Time timeout;  // kForever = the usual timeout of a call
};

// ---- runners ----

// Pass the lease on to the runner: under `token` it lasts until `until`. A token that the runner does not know begins a
// new lease; only then may `slow_start` be true.
struct Hold {
  std::uint32_t shard;
  std::uint64_t token;
  Time until;
  bool slow_start;
};
// Have the runner release the shard. `until` is the end of the lease for kHandOver and the deadline for kStop. The
// runner answers both with Released.
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

// Report that the relay cannot start. A heartbeat was answered with OUTBOX_BAD_CONFIG before any heartbeat has
// succeeded. So the database or the configuration is wrong, and waiting does not help.
struct CannotStart {};
// The relay has left the outbox. This is the last command. `complete` is true if no event was left unresolved.
struct Left {
  bool complete;
};

// ---- facts to log ----

// The relay delivers the shard from now on.
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
// The relay holds no shard. `namesakes` other relays with the same configured id are registered.
struct Standby {
  std::uint32_t namesakes;
};
// A namesake has been running for longer than a lease lasts, so it is not a killed predecessor of this relay.
struct NamesakeRuns {};
// The last ReleaseShards of a stop has failed: the shards become free when their leases expire.
struct LeftToLease {};

using Command =
    std::variant<Heartbeat, AskWasLost, MakeRunner, ReleaseShards, Hold, Release, RemoveRunner, RemoveAllRunners,
                 CannotStart, Left, Delivering, HandingOver, LeaseLost, Standby, NamesakeRuns, LeftToLease>;

}  // namespace outbox::engine::shards
