// Tests that the checks work: each relay that is wrong on purpose is caught. Built only with -Dmutants=true.
#include <fmt/format.h>

#include <cstdio>

#include "tests/catch.hpp"
#include "tests/simulation/simulator.hpp"

namespace outbox::simulation {
namespace {

constexpr std::uint64_t kSeeds = 2000;

Scenario Base(std::string_view name) {
  for (const Scenario& s : Scenarios())
    if (s.name == name) return s;
  FAIL("no scenario " << name);
  return {};
}

TEST_CASE("each mutant is caught") {
  std::string table;
  for (const MutantInfo& mutant : kMutants) {
    std::string broken;
    std::uint64_t seed = 0;
    Scenario scenario;
    while (broken.empty() && seed < kSeeds) {
      scenario = Vary(Base(mutant.scenario), ++seed);
      scenario.mutant = mutant.mutant;
      broken = Run(scenario).broken;
    }
    table += fmt::format("{:24} {:11} {:17} {:>5} seeds  {}\n", mutant.name, mutant.lives_in, mutant.scenario, seed,
                         broken.empty() ? "NOT CAUGHT" : broken);
    if (broken.empty()) FAIL_CHECK(mutant.name << " was not caught by " << kSeeds << " seeds");
    scenario.mutant = Mutant::kNone;
    CHECK(Run(scenario).broken.empty());
  }
  std::puts(table.c_str());
}

TEST_CASE("a shrunk run is short and still fails") {
  Scenario scenario = Vary(Base("late-commits"), 1);
  scenario.mutant = Mutant::kSeparateRescan;
  for (scenario.seed = 200; Run(scenario).broken.empty();) ++scenario.seed;
  const Shrunk shrunk = Shrink(scenario);
  CHECK(shrunk.verdict.broken.substr(0, 2) == Run(scenario).broken.substr(0, 2));
  CHECK(shrunk.after * 2 < shrunk.before);
  const auto story = Story(shrunk.verdict);
  CHECK(story.size() < 25);
  for (const std::string& line : story) std::puts(line.c_str());
}

}  // namespace
}  // namespace outbox::simulation
