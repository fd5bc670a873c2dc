// Starts, pauses, kills and stops the relays, moves clocks, and acts as the operator who fixes events that were given
// up. At the end of the run it causes no more faults.
#pragma once

#include <memory>
#include <vector>

#include "tests/simulation/relay_process.hpp"

namespace outbox::simulation {

class Trouble {
 public:
  explicit Trouble(Parts parts) : parts_(parts), random_(parts.scenario.seed + 202) {}

  void Start();
  // Ends the faults, and fixes all events and rows that the scenario's operator can fix.
  void End();
  [[nodiscard]] const std::vector<std::shared_ptr<RelayProcess>>& relays() const { return relays_; }

 private:
  void Tick();
  void OfRelay(const std::shared_ptr<RelayProcess>& relay);
  void OfPeers();
  void Operate();
  void Reshard();
  void TryReshard(std::uint32_t shards, int relays, Time until);
  void Fix(EventNumber e);
  void LetGo(EventNumber e);
  void StartRelay(Time in);

  Parts parts_;
  Random random_;                                      // A random stream that only this class uses.
  std::vector<std::shared_ptr<RelayProcess>> relays_;  // All relays that were ever started in the run.
  RelayId next_id_ = 0;
};

}  // namespace outbox::simulation
