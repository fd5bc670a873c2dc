// Runs one simulation: writers, relays with the real engine, models of outbox and broker, and faults. The scenario and
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
  std::string broken;  // Empty if every promise held; otherwise begins with the name of the broken promise.
  std::uint64_t delivered = 0, duplicates = 0, faults = 0, resets = 0;
  std::int64_t drained_after_us = 0;  // Time that the backlog took to drain after the last fault, in microseconds.
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

// Returns the lines of the history that concern the keys or rows which the broken promise names, and those that
// concern no row at all.
std::vector<std::string> Story(const Verdict& verdict);

// The result of shrinking a failing run: a run that breaks the same promise with as few happenings as possible, and
// its history.
struct Shrunk {
  Verdict verdict;
  std::set<Happening> left_out = {};
  std::size_t before = 0;  // Number of happenings in the original run.
  std::size_t after = 0;
  std::size_t runs = 0;
};
Shrunk Shrink(const Scenario& scenario, std::size_t max_runs = 3000);

}  // namespace outbox::simulation
