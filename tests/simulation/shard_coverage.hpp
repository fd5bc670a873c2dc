// Which ways of the shard coordinator runs have gone, as Coverage counts those of the engine.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/shard_coordinator.hpp"

namespace outbox::engine {
struct CoordinatorProbe;
}

namespace outbox::simulation {

class ShardCoverage {
 public:
  // A coordinator's state at one moment: before and after an input.
  struct Look {
    int call = 0;
    bool stopping = false, was_active = false;  // it has held shards
    std::uint32_t shards = 0;
    std::map<std::uint32_t, std::pair<int, std::uint64_t>> held;  // shard -> phase and token
    int first_steps = -1;                                         // the shard that is in them
  };
  static Look Take(const engine::ShardCoordinator& coordinator);
  void Compare(const Look& before, const Look& after);
  void RunnerNotMade() { ++gone_["runner not made"]; }

  // One line for each way, with how often it was gone.
  [[nodiscard]] std::string Table() const;
  [[nodiscard]] std::vector<std::string> Missing() const;

 private:
  static const std::vector<std::string>& Known();

  std::map<std::string, std::uint64_t> gone_;
};

}  // namespace outbox::simulation
