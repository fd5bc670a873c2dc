// Thousands of seeded runs of the engine; each prints its seed when a promise breaks.
//   simulation-tests              the fixed seeds
//   OUTBOX_SEEDS=100000 ...       more of them       OUTBOX_FIRST_SEED=77 OUTBOX_SEEDS=1 ...   one of them again
#include "tests/simulation/simulator.hpp"

#include <cstdlib>

#include "tests/catch.hpp"

namespace outbox::simulation {
namespace {

std::uint64_t FromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}
const std::uint64_t kFirst = FromEnvironment("OUTBOX_FIRST_SEED", 1);
const std::uint64_t kSeeds = FromEnvironment("OUTBOX_SEEDS", 1500);

void HoldsFor(Scenario scenario) {
  std::uint64_t delivered = 0, duplicates = 0, resets = 0;
  for (scenario.seed = kFirst; scenario.seed < kFirst + kSeeds; ++scenario.seed) {
    const Verdict verdict = Run(scenario);
    if (!verdict.broken.empty()) FAIL("seed " << scenario.seed << ": " << verdict.broken);
    delivered += verdict.delivered;
    duplicates += verdict.duplicates;
    resets += verdict.resets;
  }
  CHECK(delivered > 0);
  WARN(kSeeds << " seeds from " << kFirst << ": " << delivered << " delivered, " << duplicates << " duplicates, "
              << resets << " resets");
}

TEST_CASE("without faults: all there, in order, once") { HoldsFor({}); }

TEST_CASE("late commits and many keys on few lanes") { HoldsFor({.keys = 200, .lanes = 2, .no_key = 0.3}); }

TEST_CASE("acknowledgements lost and requests that stall") { HoldsFor({.broker = {.lose_ack = 0.02, .stall = 0.01}}); }

TEST_CASE("storage calls fail, with and without effect") { HoldsFor({.storage_fault = 0.05}); }

TEST_CASE("poison blocks its key only") { HoldsFor({.poison = 0.03}); }

TEST_CASE("poison is dead-lettered and its key goes on") { HoldsFor({.poison = 0.03, .on_exhausted = OUTBOX_DEAD}); }

TEST_CASE("two relays, one of them paused beyond its lease") { HoldsFor({.relays = 2, .pause = 0.02}); }

TEST_CASE("relays crash") { HoldsFor({.relays = 2, .crash = 0.02}); }

TEST_CASE("relays crash while poison waits for its next try") { HoldsFor({.relays = 2, .poison = 0.1, .crash = 0.05}); }

TEST_CASE("everything at once, dead letters") {
  HoldsFor({.relays = 2,
            .poison = 0.02,
            .storage_fault = 0.02,
            .pause = 0.01,
            .crash = 0.01,
            .broker = {.refuse_retriably = 0.3, .lose_ack = 0.01, .stall = 0.005},
            .on_exhausted = OUTBOX_DEAD});
}

TEST_CASE("everything at once, blocked keys") {
  HoldsFor({.relays = 2,
            .poison = 0.02,
            .storage_fault = 0.02,
            .pause = 0.01,
            .crash = 0.01,
            .broker = {.refuse_retriably = 0.3, .lose_ack = 0.01, .stall = 0.005}});
}

TEST_CASE("a broker that accepts any first sequence loses nothing, because the first flight is alone") {
  HoldsFor({.broker = {.refuse_retriably = 1.0}});
}

// The checks must bite: what they are there for is caught.
std::string FirstBreak(Scenario scenario) {
  for (scenario.seed = 1; scenario.seed <= 200; ++scenario.seed) {
    if (auto verdict = Run(scenario); !verdict.broken.empty()) return verdict.broken;
  }
  return "";
}

TEST_CASE("a client that lets records overtake a refused one is caught") {
  CHECK(FirstBreak({.poison = 0.05, .broker = {.overtaking = true}}).starts_with("order"));
}

TEST_CASE("without the first flight alone, silent loss is caught") {
  CHECK_FALSE(FirstBreak({.broker = {.refuse_retriably = 1.0}, .first_flight_alone = false}).empty());
}

}  // namespace
}  // namespace outbox::simulation
