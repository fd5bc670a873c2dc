// A simulated relay. It carries out what the shard coordinator decides, with the model store and with the shards that
// it delivers, as runtime::Relay does in the daemon. It decides nothing by itself.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "engine/shard_coordinator.hpp"
#include "tests/simulation/process.hpp"

namespace outbox::simulation {

class RelayProcess {
 public:
  // `crashed` is called when a poison event crashes the relay.
  RelayProcess(Parts parts, RelayId id, std::function<void()> crashed);

  void Start();
  void Pause(Time how_long) {
    process_.paused_until_ = std::max(process_.paused_until_, parts_.world.now() + how_long);
  }
  void SetWallClock(Time ahead) { process_.wall_ahead = ahead; }
  void Crash();
  // Stops the relay: it finishes what is in flight, releases its shards and ends.
  void Stop(Time timeout);
  [[nodiscard]] bool dead() const { return process_.dead; }
  [[nodiscard]] bool stopping() const { return stopping_; }
  [[nodiscard]] RelayId id() const { return process_.id; }
  // True if the relay is ready as /readyz judges it. A peer counts as unavailable exactly while it does not answer.
  [[nodiscard]] bool Ready() const;
  [[nodiscard]] std::uint64_t resets() const;

 private:
  // Gives the coordinator an input, now or after the pause of the process, and executes the coordinator's commands.
  template <class F>
  void Turn(F input);
  template <class F>
  void Watched(F step);
  void SetAlarm();

  void Do(const engine::shards::Heartbeat& heartbeat);
  void Do(const engine::shards::AskWasLost& ask);
  void Do(const engine::shards::MakeRunner& make);
  void Do(const engine::shards::ReleaseShards& release);
  void Do(const engine::shards::Hold& hold);
  void Do(const engine::shards::Release& release);
  void Do(const engine::shards::RemoveRunner& remove);
  void Do(const engine::shards::RemoveAllRunners& remove);
  void Do(const engine::shards::Left& left);
  void Do(const engine::shards::Delivering& delivering);
  void Do(const engine::shards::HandingOver& handing_over);
  void Do(const engine::shards::LeaseLost& lost);
  template <class Fact>
  void Do(const Fact& /*nobody reads it*/) {}

  // The state of a heartbeat until it is answered.
  struct Answer;
  void TakeTurn(const std::shared_ptr<Answer>& answer);
  void Answered(outbox_code code, const std::shared_ptr<Answer>& answer);
  void CheckResolved(const engine::shards::ReleaseShards& release);
  void CheckSlowStart(const engine::shards::Hold& hold);
  void CheckFirstSteps() const;
  void AddShard(std::uint32_t shard);
  [[nodiscard]] ShardProcess* Find(std::uint32_t shard);
  [[nodiscard]] Time DatabaseClock() const;

  Parts parts_;
  Process process_;
  engine::ShardCoordinator coordinator_;
  std::map<std::uint32_t, std::unique_ptr<ShardProcess>> shards_;
  // Removed shards, whose producers may still have requests on the wire.
  std::vector<std::unique_ptr<ShardProcess>> gone_;
  std::map<std::uint32_t, std::uint64_t> begun_;  // Maps a shard to the newest token under which it was held.
  bool stopping_ = false;
  Time alarm_ = 0;
};

}  // namespace outbox::simulation
