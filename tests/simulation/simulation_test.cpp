// Runs the fixed seeds, and checks that they take every transition of the engine. outbox-simulation runs more seeds.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "tests/catch.hpp"
#include "tests/simulation/simulator.hpp"

namespace outbox::simulation {
namespace {

constexpr std::uint64_t kSeeds = 20'000;  // The number of seeds in all scenarios together.

// Returns the number of seeds for each scenario. OUTBOX_SEEDS can lower the total, because sanitizers make the runs
// slow.
std::uint64_t SeedsOfEach() {
  const char* text = std::getenv("OUTBOX_SEEDS");
  const std::uint64_t all = text != nullptr ? std::strtoull(text, nullptr, 10) : kSeeds;
  return all / Scenarios().size() + 1;
}

std::string StoryOf(const Scenario& scenario) {
  std::string story;
  for (const std::string& line : Story(Shrink(scenario).verdict)) story += line + "\n";
  return story;
}

TEST_CASE("the promises hold, and the seeds take every transition of the engine") {
  const std::uint64_t seeds = SeedsOfEach();
  Coverage coverage;
  std::string table = fmt::format("{} seeds of each\n{:22}{:>10}{:>11}{:>8}{:>10}\n", seeds, "", "delivered",
                                  "duplicates", "faults", "drained");
  for (const Scenario& base : Scenarios()) {
    std::uint64_t delivered = 0, duplicates = 0, faults = 0;
    std::int64_t slowest = 0;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      const Scenario scenario = Vary(base, seed);
      const Verdict verdict = Run(scenario, {.coverage = &coverage});
      if (!verdict.broken.empty())
        FAIL("seed " << seed << " of " << base.name << ": " << verdict.broken << "\nthe least that breaks it:\n"
                     << StoryOf(scenario));
      delivered += verdict.delivered;
      duplicates += verdict.duplicates;
      faults += verdict.faults;
      slowest = std::max(slowest, verdict.drained_after_us);
    }
    CHECK(delivered > 0);
    table +=
        fmt::format("{:22}{:>10}{:>11}{:>8}{:>8} s\n", base.name, delivered, duplicates, faults, slowest / 1'000'000);
  }
  std::puts((table + "\nways through the engine, and how often they were gone\n" + coverage.Table()).c_str());
  if (seeds * Scenarios().size() < kSeeds) return;
  for (const std::string& way : coverage.Missing()) FAIL_CHECK("never gone: " << way);
}

TEST_CASE("a seed gives the same run each time, with or without a recorded history") {
  const Scenario scenario = Vary(Scenarios().back(), 5);
  Coverage coverage;
  const Verdict first = Run(scenario), again = Run(scenario, {.history = true, .coverage = &coverage});
  CHECK(first.happened == again.happened);
  CHECK(first.delivered == again.delivered);
  CHECK(first.virtual_us == again.virtual_us);
  CHECK(Run(scenario, {.history = true}).history == again.history);
}

}  // namespace
}  // namespace outbox::simulation
