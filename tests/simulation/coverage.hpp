// Counts which transitions between the engine's states the runs have taken. A transition that no run takes is not
// tested.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/engine.hpp"
#include "tests/simulation/shard_coverage.hpp"

namespace outbox::simulation {

class Coverage {
 public:
  ShardCoverage shards;

  // Adds the transitions of one engine. REQUIRES: the engine is at the end of its life.
  void Add(const engine::Engine& engine);

  // Returns one line for each transition that was taken, with the number of times.
  [[nodiscard]] std::string Table() const;
  // Returns the transitions of the state charts that no run has taken. Transitions that only about one run in ten
  // thousand takes are left out; the unit tests of the parts take them.
  [[nodiscard]] std::vector<std::string> Missing() const;

 private:
  std::map<std::string, std::uint64_t> taken_;
};

// Returns the state charts of the engine's parts, in Markdown with Mermaid, as docs/design/engine.md shows them.
[[nodiscard]] std::string Charts();

}  // namespace outbox::simulation
