// Which states of the engine runs have reached, and on which ways. A way that no seed goes is one that nothing checks.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/shard_lease.hpp"
#include "tests/simulation/shard_coverage.hpp"

namespace outbox::engine {
struct EngineProbe;
}

namespace outbox::simulation {

class Coverage {
 public:
  enum class Part : std::uint8_t { kMode, kEvent, kHold, kLease, kMark };
  // An engine's states at one moment: before and after what it is told, and after what it decides.
  struct Look {
    int mode = 0, shard_lease = 0, mark = 0;
    std::vector<int> events;
    std::map<std::uint64_t, int> holds;
  };
  static Look Take(const engine::Engine& engine, const engine::ShardLease& shard_lease);
  void Compare(const Look& before, const Look& after);
  ShardCoverage shards;

  // One line for each way, with how often it was gone.
  [[nodiscard]] std::string Table() const;
  // The ways that the code has and no run has gone.
  [[nodiscard]] std::vector<std::string> Missing() const;

 private:
  struct Way {
    Part part;
    int from, to;
    auto operator<=>(const Way&) const = default;
  };
  static std::string Name(const Way& way);
  static const std::vector<Way>& Known();

  std::map<Way, std::uint64_t> gone_;
};

}  // namespace outbox::simulation
