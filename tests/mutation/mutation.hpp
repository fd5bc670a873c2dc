// Which mutant of this program runs: the number in OUTBOX_MUTATION, or none. One build has all mutants, and chooses at run time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace outbox_mutation {

// By the number of the mutant: 0 = off, 1 = to be noted when it is reached, 2 = chosen.
extern std::uint8_t states[];
extern const std::size_t kStates;

// Notes a mutant that is reached for the first time, or answers that it is the chosen one.
[[gnu::cold]] bool Reached(std::size_t mutant);

// Whether this mutant is the chosen one. In a constant expression, which no run can change, none is.
[[gnu::always_inline]] constexpr bool Is(std::size_t mutant) {
  if (std::is_constant_evaluated()) return false;
  return __builtin_expect(states[mutant] != 0, false) && Reached(mutant);
}

// A number where its type is not known: it becomes the one that is wanted, as a literal would.
struct Number {
  long long value;
  template <class T>
  requires std::is_arithmetic_v<T>
  constexpr operator T() const {  // NOLINT(google-explicit-constructor): it stands where a literal stood
    return static_cast<T>(value);
  }
};

// From now on, mutants that are reached are noted anew; not while one is chosen.
void Record();
[[nodiscard]] inline bool WasReached(std::size_t mutant) { return states[mutant] == 0; }

}  // namespace outbox_mutation
