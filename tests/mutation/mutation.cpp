#include "tests/mutation/mutation.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace outbox_mutation {
namespace {

// Writes a byte for each mutant to the file that OUTBOX_MUTATION_REACHED names: '1' if the mutant was reached,
// otherwise '0'. Called at the end of the process.
void WriteReached() {
  std::FILE* const file = std::fopen(std::getenv("OUTBOX_MUTATION_REACHED"), "w");
  if (file == nullptr) return;
  for (std::size_t i = 0; i < kStates; ++i) std::fputc(WasReached(i) ? '1' : '0', file);
  std::fclose(file);
}

// Selects the mutant that OUTBOX_MUTATION names; without it, starts a recording if OUTBOX_MUTATION_REACHED is set.
// Runs before all constants that are computed at the start of the program, in any file.
[[gnu::constructor(101)]] void Choose() {
  if (const char* const text = std::getenv("OUTBOX_MUTATION"); text != nullptr) {
    const std::size_t mutant = std::strtoul(text, nullptr, 10);
    if (mutant >= kStates) {
      std::fprintf(stderr, "OUTBOX_MUTATION: there is no mutant %s\n", text);
      std::_Exit(2);
    }
    states[mutant] = 2;
  } else if (std::getenv("OUTBOX_MUTATION_REACHED") != nullptr) {
    Record();
    std::atexit(WriteReached);
  }
}

}  // namespace

bool Reached(std::size_t mutant) {
  if (states[mutant] == 2) return true;
  states[mutant] = 0;
  return false;
}

void Record() { std::memset(states, 1, kStates); }

}  // namespace outbox_mutation
