// Selects the mutant that this program runs: the number in OUTBOX_MUTATION, or none. One build contains all mutants.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace outbox_mutation {

// The state of each mutant, indexed by its number: 0 = off, 1 = to be recorded when it is reached, 2 = selected.
extern std::uint8_t states[];
extern const std::size_t kStates;

// Returns true if the mutant is the selected one. Otherwise records that it was reached, and returns false.
[[gnu::cold]] bool Reached(std::size_t mutant);

// Returns true if the mutant is the selected one. In a constant expression it returns false, because the compiler
// evaluates it and no run can change the result.
[[gnu::always_inline]] constexpr bool Is(std::size_t mutant) {
  if (std::is_constant_evaluated()) return false;
  return __builtin_expect(states[mutant] != 0, false) && Reached(mutant);
}

// A mutated number whose target type is not known. It converts to the type that its context needs, as the literal that
// it replaces does.
struct Number {
  long long value;
  template <class T>
  requires std::is_arithmetic_v<T>
  constexpr operator T() const {  // NOLINT(google-explicit-constructor): it replaces a literal
    return static_cast<T>(value);
  }
};

// Starts a new recording of reached mutants. REQUIRES: no mutant is selected.
void Record();
[[nodiscard]] inline bool WasReached(std::size_t mutant) { return states[mutant] == 0; }

}  // namespace outbox_mutation
