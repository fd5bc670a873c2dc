// What a relay makes of the answers to its heartbeats: which shards it works on, which it winds up for another relay,
// and when it asks again. Like the engine it has no thread and no clock, so that the simulator runs it too.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "engine/settings.hpp"
#include "outbox/adapter.hpp"

namespace outbox::engine {

struct LeaseAction {
  enum class What : std::uint8_t {
    kWork,      // the lease under `token` lasts until `until`
    kHandOver,  // the same, and another relay is to have the shard
    kLost,
  } what;
  std::uint32_t shard;
  std::uint64_t token = 0;
  Time until = 0;
  bool news = false;  // not a renewal
};

class ShardAssignment {
 public:
  ShardAssignment(Time lease, Time poll_interval) : lease_(lease), poll_interval_(poll_interval) {}

  // The answer to the heartbeat that was asked for at `asked`, by a clock that goes on while the machine is suspended.
  // The lease is counted from there: the answer may have taken long.
  std::vector<LeaseAction> Answered(const Lease& lease, Time asked);
  // How long to wait before the next heartbeat.
  [[nodiscard]] Time NextBeat() const;
  [[nodiscard]] Time NextTry();  // after one that failed
  // True once, when a relay of the same name turns out to be running: it was there for longer than a lease lasts, so it is no
  // predecessor that was killed.
  [[nodiscard]] bool MeetsNamesake(const Lease& lease, Time asked);

  // The number of shards has changed: nothing is held any more.
  void Begin(std::uint32_t shards);
  [[nodiscard]] std::uint32_t shards() const { return shards_; }

  // The shard could not be begun: the next answer is news again.
  void NotBegun(std::uint32_t shard) { owned_.erase(shard); }
  // Of those wound up, shard -> token, the ones that are still held under that token.
  [[nodiscard]] std::vector<outbox_owned_shard> StillHeld(const std::map<std::uint32_t, std::uint64_t>& wound_up) const;
  void Returned(std::span<const outbox_owned_shard> shards);
  [[nodiscard]] const std::map<std::uint32_t, std::uint64_t>& owned() const { return owned_; }  // shard -> token

 private:
  const Time lease_, poll_interval_;
  std::uint32_t shards_ = 1;  // of the outbox
  std::uint32_t share_ = 1;
  std::map<std::uint32_t, std::uint64_t> owned_;
  std::set<std::uint32_t> handing_over_;
  std::uint32_t failures_ = 0;
  Time namesake_since_ = kForever;
  bool told_namesake_ = false;
};

}  // namespace outbox::engine
