// One simulated run: writers, relays with the real engine, an outbox and a broker as models, and trouble. Everything
// comes from the scenario and its seed, so a run can be repeated exactly.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "tests/simulation/chances.hpp"
#include "tests/simulation/coverage.hpp"
#include "tests/simulation/scenario.hpp"

namespace outbox::simulation {

struct Verdict {
  std::string broken;  // empty = every promise held; else it begins with the name of the promise
  std::uint64_t delivered = 0, duplicates = 0, faults = 0, resets = 0;
  std::int64_t drained_after_us = 0;  // the last fault
  std::int64_t virtual_us = 0;
  std::vector<Happening> happened;
  std::vector<std::string> history;
};

struct Options {
  std::set<Happening> left_out = {};
  bool history = false;
  Coverage* coverage = nullptr;
};

Verdict Run(const Scenario& scenario, const Options& options = {});

// Of a history, what concerns the keys that the broken promise names, or the row without a key.
std::vector<std::string> Story(const Verdict& verdict);

// The same failing run with as little as possible of what happened in it, and its history.
struct Shrunk {
  Verdict verdict;
  std::set<Happening> left_out = {};
  std::size_t before = 0;  // things that happened
  std::size_t after = 0;
  std::size_t runs = 0;
};
Shrunk Shrink(const Scenario& scenario, std::size_t max_runs = 3000);

}  // namespace outbox::simulation
