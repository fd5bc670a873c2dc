// One simulated run: writers, relays with the real engine, models of outbox and broker, and faults. The scenario and
// its seed decide everything, so a run can be repeated exactly.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "tests/simulation/chances.hpp"
#include "tests/simulation/coverage.hpp"
#include "tests/simulation/scenario.hpp"

namespace outbox::simulation {

struct Verdict {
  std::string broken;  // Empty if every promise held; else it begins with the name of the broken promise.
  std::uint64_t delivered = 0, duplicates = 0, faults = 0, resets = 0;
  std::int64_t drained_after_us = 0;  // Counted from the last fault.
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

// The lines of a history that concern the keys that the broken promise names or, for an event without a key, its row.
std::vector<std::string> Story(const Verdict& verdict);

// The result of shrinking a failing run: the same promise breaks with as few happenings as possible, and with a
// history.
struct Shrunk {
  Verdict verdict;
  std::set<Happening> left_out = {};
  std::size_t before = 0;  // How many happenings the run had at first.
  std::size_t after = 0;
  std::size_t runs = 0;
};
Shrunk Shrink(const Scenario& scenario, std::size_t max_runs = 3000);

}  // namespace outbox::simulation
