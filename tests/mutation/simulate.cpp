// Runs the simulator for the mutants of the engine; see README.md. Standard input has a line for each run: SCENARIO
// SEED OUTCOME. SCENARIO is the index of the scenario in the list. OUTCOME is a number that stands for the whole
// result of the run without a mutant.
//
//   simulate                 Runs until the first run that breaks a promise, hangs or crashes, and prints it: exit
//                            code 1. Otherwise prints how many runs there were, and how many had a result other than
//                            OUTCOME: exit code 0. It stops after kEnoughAlike runs if all of them had OUTCOME.
//   simulate --ways          Prints a second line with the transitions of the engine that were taken, as 0 and 1. It
//                            takes a sixth longer.
//   simulate --record FILE   Runs without a mutant, and writes a record for each run: OUTCOME (8 bytes), its time in
//                            microseconds (4 bytes), the transitions taken and the mutants reached (a bit each, the
//                            lowest first, padded to whole bytes).
//   simulate --scenarios     Lists the scenarios and the transitions.
#include <fmt/format.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "tests/mutation/mutation.hpp"
#include "tests/simulation/simulator.hpp"

namespace outbox::simulation {
namespace {

constexpr int kMaxSeconds = 2;  // Limit of the processor time of one run, in seconds.
constexpr unsigned kEnoughAlike = 1000;

char current[160] = "";

// Handles a crash or the time limit: prints the run under way and the reason, and ends the process.
void Die(int signal) {
  const char* const what = signal == SIGVTALRM ? "hangs\n" : "crashes\n";
  (void)!write(STDOUT_FILENO, current, std::strlen(current));
  (void)!write(STDOUT_FILENO, what, std::strlen(what));
  _exit(1);
}

void Limit(int seconds) {
  const itimerval timer{{0, 0}, {seconds, 0}};
  setitimer(ITIMER_VIRTUAL, &timer, nullptr);
}

// Returns which of the known transitions were taken.
std::vector<bool> Ways(const Coverage& coverage, const std::vector<std::string>& known) {
  const std::vector<std::string> missing = coverage.Missing();
  std::vector<bool> gone;
  for (const std::string& way : known) gone.push_back(std::find(missing.begin(), missing.end(), way) == missing.end());
  return gone;
}

// Returns a number that stands for the result of a run.
std::uint64_t Outcome(const Verdict& v) {
  std::uint64_t sum = 14695981039346656037U;  // FNV-1a, by words.
  for (const std::uint64_t part :
       {v.delivered, v.duplicates, v.faults, v.resets, static_cast<std::uint64_t>(v.virtual_us),
        static_cast<std::uint64_t>(v.drained_after_us)})
    sum = (sum ^ part) * 1099511628211U;
  return sum;
}

template <class T>
void WriteNumber(std::ofstream& file, T number) {
  file.write(reinterpret_cast<const char*>(&number), sizeof number);
}

template <class IsSet>
void WriteBits(std::ofstream& file, std::size_t count, IsSet is_set) {
  for (std::size_t first = 0; first < count; first += 8) {
    unsigned byte = 0;
    for (std::size_t i = first; i < std::min(first + 8, count); ++i) byte |= is_set(i) ? 1U << (i - first) : 0;
    file.put(static_cast<char>(byte));
  }
}

int Main(bool ways, const char* record) {
  const std::vector<std::string> known = Coverage().Missing();
  std::ofstream file;
  if (record != nullptr) file.open(record, std::ios::binary);
  for (const int signal : {SIGSEGV, SIGABRT, SIGFPE, SIGBUS, SIGILL, SIGVTALRM}) std::signal(signal, Die);

  Coverage all;
  std::size_t which = 0;
  unsigned done = 0, differs = 0;
  for (std::uint64_t seed = 0, outcome = 0; std::cin >> which >> seed >> outcome;) {
    const Scenario scenario = Vary(Scenarios().at(which), seed);
    *fmt::format_to_n(current, sizeof current - 1, "seed {} of {}: ", seed, scenario.name).out = '\0';
    Coverage own;
    if (record != nullptr) outbox_mutation::Record();
    const auto begin = std::chrono::steady_clock::now();
    Limit(kMaxSeconds);
    const Verdict verdict = Run(scenario, {.coverage = record != nullptr ? &own : ways ? &all : nullptr});
    Limit(0);
    if (!verdict.broken.empty()) {
      fmt::print("{}{}\n", current, verdict.broken);
      return 1;
    }
    ++done;
    differs += Outcome(verdict) != outcome ? 1 : 0;
    if (record == nullptr && done == kEnoughAlike && differs == 0) break;
    if (record == nullptr) continue;
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin);
    WriteNumber(file, Outcome(verdict));
    WriteNumber(file, static_cast<std::uint32_t>(took.count()));
    const std::vector<bool> gone = Ways(own, known);
    WriteBits(file, gone.size(), [&](std::size_t i) { return gone[i]; });
    WriteBits(file, outbox_mutation::kStates, outbox_mutation::WasReached);
  }
  fmt::print("{} {}\n", done, differs);
  if (!ways) return 0;
  for (const bool gone : Ways(all, known)) fmt::print("{}", gone ? 1 : 0);
  fmt::print("\n");
  return 0;
}

}  // namespace
}  // namespace outbox::simulation

int main(int count, char** arguments) {
  const std::string what = count > 1 ? arguments[1] : "";
  if (what == "--scenarios") {
    for (const auto& scenario : outbox::simulation::Scenarios()) fmt::print("{}\n", scenario.name);
    for (const std::string& way : outbox::simulation::Coverage().Missing()) fmt::print("way {}\n", way);
    return 0;
  }
  if (what == "--record" && count == 3) return outbox::simulation::Main(false, arguments[2]);
  if (count > 2 || (count == 2 && what != "--ways")) return 2;
  return outbox::simulation::Main(what == "--ways", nullptr);
}
