// Counts which transitions of the shard coordinator the runs have taken, as Coverage does for the engine.
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
  // The state of a coordinator at one moment, before or after an input.
  struct Look {
    int call = 0;
    bool stopping = false, was_active = false;  // was_active: true if the relay has held shards.
    std::uint32_t shards = 0;
    std::map<std::uint32_t, std::pair<int, std::uint64_t>> held;  // Maps a shard to its phase and its token.
    int first_steps = -1;                                         // The shard that is in its first steps, or -1.
  };
  static Look Take(const engine::ShardCoordinator& coordinator);
  void Compare(const Look& before, const Look& after);
  void RunnerNotMade() { ++gone_["runner not made"]; }

  // Returns one line for each transition that was taken, with the number of times.
  [[nodiscard]] std::string Table() const;
  [[nodiscard]] std::vector<std::string> Missing() const;

 private:
  static const std::vector<std::string>& Known();

  std::map<std::string, std::uint64_t> gone_;
};

}  // namespace outbox::simulation
