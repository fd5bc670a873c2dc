// Which transitions of the engine's states the runs have taken. One that no seed takes is one that nothing checks.
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

  // Adds what an engine has done in its life.
  void Add(const engine::Engine& engine);

  // One line for each transition, with how often it was taken.
  [[nodiscard]] std::string Table() const;
  // The transitions of the charts that no run has taken, less those that one run in ten thousand takes and that tests of
  // the parts take.
  [[nodiscard]] std::vector<std::string> Missing() const;

 private:
  std::map<std::string, std::uint64_t> taken_;
};

// The state charts of the engine's parts as a page shows them: Markdown with Mermaid.
[[nodiscard]] std::string Charts();

}  // namespace outbox::simulation
