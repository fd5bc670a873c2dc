// A relay that keeps its leases and runs the shards that it holds, as Relay does.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "engine/shard_assignment.hpp"
#include "tests/simulation/process.hpp"

namespace outbox::simulation {

class RelayProcess {
 public:
  // `crashed` is told what happened by itself.
  RelayProcess(Parts parts, RelayId id, std::function<void()> crashed);

  void Start() { Beat(); }
  void Pause(Time how_long) {
    process_.paused_until_ = std::max(process_.paused_until_, parts_.world.now() + how_long);
  }
  void SetWallClock(Time ahead) { process_.wall_ahead = ahead; }
  void Crash();
  // Winds up, gives its shards back, and ends.
  void Stop(Time timeout);
  [[nodiscard]] bool dead() const { return process_.dead; }
  [[nodiscard]] bool stopping() const { return stopping_; }
  [[nodiscard]] RelayId id() const { return process_.id; }
  // As /readyz judges it, where a peer is in trouble for as long as it does not answer.
  [[nodiscard]] bool Ready() const;
  [[nodiscard]] std::uint64_t resets() const;

 private:
  void Beat();
  void Look(Time asked);
  void Answered(const Lease& lease, Time asked);
  // The lease is asked about first: whether its last owner let it end.
  void FollowAll(std::vector<engine::LeaseAction> orders);
  void Apply(const engine::LeaseAction& order, bool slow_start);
  void NextBeat(Time wait);
  void BeatNow();
  void ReturnWoundUp();
  void GiveBackIfDone();
  void End();
  [[nodiscard]] Time DatabaseClock() const;

  Parts parts_;
  Process process_;
  engine::ShardAssignment assignment_;
  std::map<std::uint32_t, std::unique_ptr<ShardProcess>> shards_;
  std::vector<std::unique_ptr<ShardProcess>> gone_;  // whose producers may still have requests on the wire
  std::map<std::uint32_t, std::uint64_t> to_return_;
  std::optional<std::uint32_t> first_step_;  // the shard that is in its first step of a slow start
  std::uint32_t beat_ = 0;                   // the wait for a heartbeat that counts
  bool beating_ = false;
  bool stopping_ = false, leaving_ = false;
  std::size_t wound_up_for_good_ = 0;
  Time stop_by_ = kForever;
};

}  // namespace outbox::simulation
