// outbox-simulation: runs seeds from the command line; see --help.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <fstream>

#include "tests/simulation/bare_engine.hpp"
#include "tests/simulation/simulator.hpp"

namespace outbox::simulation {
namespace {

using Clock = std::chrono::steady_clock;

struct Arguments {
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

void PrintShrunk(const Scenario& scenario) {
  const Shrunk shrunk = Shrink(scenario);
  fmt::print("{}\nshrunk from {} happenings, in {} runs, to {}\n\n", shrunk.verdict.broken, shrunk.before, shrunk.runs,
             shrunk.after);
  for (const std::string& line : Story(shrunk.verdict)) fmt::print("{}\n", line);
}

// Returns the first seed that is still to be run. A line "SEED ..." of the results file means that all seeds up to
// SEED are done.
std::uint64_t NextSeed(const Arguments& args) {
  std::uint64_t next = args.first, seed = 0;
  std::ifstream file(args.results);
  for (std::string rest; file >> seed && std::getline(file, rest);) next = std::max(next, seed + 1);
  return next;
}

// Runs each seed in one of the scenarios, which take turns.
int RunSeeds(const Arguments& args, const std::vector<Scenario>& scenarios, Mutant mutant) {
  const auto begin = Clock::now();
  const auto took = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
  Sum sum;
  std::uint64_t seed = NextSeed(args);
  if (seed > args.first) fmt::print("continuing with seed {}\n", seed);
  const auto note = [&](std::uint64_t done, const std::string& verdict) {
    const std::string line = fmt::format(
        "{} {}: {} seeds in {:.1f} s, {:.0f} virtual hours, {} delivered, {} duplicates, {} faults, {} "
        "resets, slowest drain {:.1f} s",
        done, verdict, sum.seeds, took(), sum.virtual_hours, sum.delivered, sum.duplicates, sum.faults, sum.resets,
        sum.slowest_drain);
    fmt::print("{}\n", line);
    std::fflush(stdout);
    if (!args.results.empty()) std::ofstream(args.results, std::ios::app) << line << "\n";
  };
  for (; seed < args.first + args.seeds; ++seed) {
    Scenario scenario = Vary(scenarios[seed % scenarios.size()], seed);
    scenario.mutant = mutant;
    const Verdict verdict = Run(scenario);
    sum.Add(verdict);
    if (!verdict.broken.empty()) {
      note(seed, fmt::format("BROKEN in {}", scenario.name));
      PrintShrunk(scenario);
      return 1;
    }
    if (args.replay) {
      for (const std::string& line : Run(scenario, {.history = true}).history) fmt::print("{}\n", line);
    }
    if (args.minutes > 0 && took() > 60.0 * args.minutes) break;
    if (seed % 50'000 == 0) note(seed, "ok so far");
  }
  note(std::min(seed, args.first + args.seeds - 1), "ok");
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App app{
      "Run the relay's engine and lease protocol in virtual time, under faults that a seed decides.\n"
      "If a seed breaks a promise, it is shrunk to the fewest happenings that still break it, and these are printed.",
      "outbox-simulation"};
  Arguments args;
  bool list = false, bench = false, charts = false;
  app.add_option("--first", args.first, "Begin with this seed")->capture_default_str();
  app.add_option("--seeds", args.seeds, "Run this many seeds")->capture_default_str();
  app.add_option("--minutes", args.minutes, "Stop after this many minutes");
  app.add_option("--scenario", args.scenario,
                 "Run only this scenario; by default the seeds go through all of them in turn");
  app.add_option("--results", args.results, "Append results to this file, and continue after the last seed in it");
  app.add_option("--mutant", args.mutant, "Run this mutant, a relay that is wrong on purpose");
  app.add_flag("--replay", args.replay, "Print the history of each seed; meant for --first N --seeds 1");
  app.add_flag("--list", list, "List scenarios and mutants");
  app.add_flag("--charts", charts, "Print the state charts of the engine's parts, as docs/design/engine.md shows them");
  app.add_flag("--bench", bench, "Measure how many events per second the engine alone handles");
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
    if (m.name != args.mutant) continue;
    mutant = m.mutant;
    if (args.scenario.empty()) args.scenario = m.scenario;
  }
  std::vector<Scenario> scenarios;
  for (const Scenario& s : Scenarios())
    if (args.scenario.empty() || args.scenario == s.name) scenarios.push_back(s);
  if (scenarios.empty() || (mutant == Mutant::kNone && !args.mutant.empty())) {
    fmt::print(stderr, "unknown scenario or mutant; see --list\n");
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
  return RunSeeds(args, scenarios, mutant);
}

}  // namespace
}  // namespace outbox::simulation

int main(int argc, char** argv) { return outbox::simulation::Main(argc, argv); }
