// outbox-simulation: seeded runs from the command line; see --help.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <fstream>

#include "tests/simulation/bare_engine.hpp"
#include "tests/simulation/simulator.hpp"

namespace outbox::simulation {
namespace {

using Clock = std::chrono::steady_clock;

struct Wish {
  std::uint64_t first = 1, seeds = 1000;
  unsigned minutes = 0;
  std::string scenario, mutant, results;
  bool replay = false;
};

struct Sum {
  std::uint64_t seeds = 0, delivered = 0, duplicates = 0, faults = 0, resets = 0;
  double virtual_hours = 0, slowest_drain = 0;
  void Add(const Verdict& v) {
    ++seeds;
    delivered += v.delivered;
    duplicates += v.duplicates;
    faults += v.faults;
    resets += v.resets;
    virtual_hours += static_cast<double>(v.virtual_us) / 3.6e9;
    slowest_drain = std::max(slowest_drain, static_cast<double>(v.drained_after_us) / 1e6);
  }
};

void Tell(const Scenario& scenario) {
  const Shrunk shrunk = Shrink(scenario);
  fmt::print("{}\nwhat is left of {} rows and faults, after {} runs: {}\n\n", shrunk.verdict.broken, shrunk.before,
             shrunk.runs, shrunk.after);
  for (const std::string& line : Story(shrunk.verdict)) fmt::print("{}\n", line);
}

// A line of the results file: "SEED ...": all seeds up to there are done.
std::uint64_t NextSeed(const Wish& wish) {
  std::uint64_t next = wish.first, seed = 0;
  std::ifstream file(wish.results);
  for (std::string rest; file >> seed && std::getline(file, rest);) next = std::max(next, seed + 1);
  return next;
}

// Each seed is run in one of the scenarios, in turn.
int RunSeeds(const Wish& wish, const std::vector<Scenario>& scenarios, Mutant mutant) {
  const auto begin = Clock::now();
  const auto took = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
  Sum sum;
  std::uint64_t seed = NextSeed(wish);
  if (seed > wish.first) fmt::print("goes on with seed {}\n", seed);
  const auto note = [&](std::uint64_t done, const std::string& verdict) {
    const std::string line = fmt::format(
        "{} {}: {} seeds in {:.1f} s, {:.0f} virtual hours, {} delivered, {} duplicates, {} faults, {} "
        "resets, slowest drain {:.1f} s",
        done, verdict, sum.seeds, took(), sum.virtual_hours, sum.delivered, sum.duplicates, sum.faults, sum.resets,
        sum.slowest_drain);
    fmt::print("{}\n", line);
    std::fflush(stdout);
    if (!wish.results.empty()) std::ofstream(wish.results, std::ios::app) << line << "\n";
  };
  for (; seed < wish.first + wish.seeds; ++seed) {
    Scenario scenario = Vary(scenarios[seed % scenarios.size()], seed);
    scenario.mutant = mutant;
    const Verdict verdict = Run(scenario);
    sum.Add(verdict);
    if (!verdict.broken.empty()) {
      note(seed, fmt::format("BROKEN in {}", scenario.name));
      Tell(scenario);
      return 1;
    }
    if (wish.replay) {
      for (const std::string& line : Run(scenario, {.history = true}).history) fmt::print("{}\n", line);
    }
    if (wish.minutes > 0 && took() > 60.0 * wish.minutes) break;
    if (seed % 50'000 == 0) note(seed, "ok so far");
  }
  note(std::min(seed, wish.first + wish.seeds - 1), "ok");
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App app{
      "Runs the relay's engine and lease protocol in virtual time, under faults that come from a seed.\n"
      "A seed that breaks a promise is run again with less and less in it, and what is left is printed.",
      "outbox-simulation"};
  Wish wish;
  bool list = false, bench = false, charts = false;
  app.add_option("--first", wish.first, "the first seed")->capture_default_str();
  app.add_option("--seeds", wish.seeds, "how many")->capture_default_str();
  app.add_option("--minutes", wish.minutes, "no longer than that");
  app.add_option("--scenario", wish.scenario, "only this one; by default the seeds go through all of them in turn");
  app.add_option("--results", wish.results, "file to which results are appended; a run goes on where it ends");
  app.add_option("--mutant", wish.mutant, "a relay that is wrong on purpose");
  app.add_flag("--replay", wish.replay, "print the history of each seed; meant for --first N --seeds 1");
  app.add_flag("--list", list, "print scenarios and mutants");
  app.add_flag("--charts", charts, "print the state charts of the engine's parts, as docs/design/engine.md shows them");
  app.add_flag("--bench", bench, "how many events a second the engine alone handles");
  CLI11_PARSE(app, argc, argv);

  if (list) {
    for (const Scenario& s : Scenarios()) fmt::print("scenario {}\n", s.name);
    for (const MutantInfo& m : kMutants)
      fmt::print("mutant   {:24} {:11} {:18} {}\n", m.name, m.lives_in, m.scenario, m.breaks);
    return 0;
  }
  if (charts) {
    fmt::print("{}", Charts());
    return 0;
  }
  if (bench) {
    constexpr std::uint64_t kEvents = 50'000'000;
    const double seconds = DriveBareEngine(kEvents);
    fmt::print("{:.1f} M events/s ({} events in {:.2f} s)\n", static_cast<double>(kEvents) / seconds / 1e6, kEvents,
               seconds);
    return 0;
  }
  Mutant mutant = Mutant::kNone;
  for (const MutantInfo& m : kMutants) {
    if (m.name != wish.mutant) continue;
    mutant = m.mutant;
    if (wish.scenario.empty()) wish.scenario = m.scenario;
  }
  std::vector<Scenario> scenarios;
  for (const Scenario& s : Scenarios())
    if (wish.scenario.empty() || wish.scenario == s.name) scenarios.push_back(s);
  if (scenarios.empty() || (mutant == Mutant::kNone && !wish.mutant.empty())) {
    fmt::print(stderr, "no such scenario or mutant; see --list\n");
    return 2;
  }
#ifndef OUTBOX_MUTANTS
  for (const MutantInfo& m : kMutants) {
    if (m.mutant != mutant || (m.lives_in != "engine" && m.lives_in != "coordinator")) continue;
    fmt::print(stderr,
               "mutants of the engine and the coordinator need outbox-simulation-mutants: meson configure build "
               "-Dmutants=true\n");
    return 2;
  }
#endif
  return RunSeeds(wish, scenarios, mutant);
}

}  // namespace
}  // namespace outbox::simulation

int main(int argc, char** argv) { return outbox::simulation::Main(argc, argv); }
