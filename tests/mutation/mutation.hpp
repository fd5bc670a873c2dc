// Selects the mutant that this program runs: the number in OUTBOX_MUTATION, or none. One build contains all mutants.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace outbox_mutation {

// By the number of the mutant: 0 = off, 1 = to be recorded when it is reached, 2 = selected.
extern std::uint8_t states[];
extern const std::size_t kStates;

// Records a mutant that is reached for the first time, or returns true if it is the selected one.
[[gnu::cold]] bool Reached(std::size_t mutant);

// Returns true if this mutant is the selected one. In a constant expression it is always false, because no run can
// change that.
[[gnu::always_inline]] constexpr bool Is(std::size_t mutant) {
  if (std::is_constant_evaluated()) return false;
  return __builtin_expect(states[mutant] != 0, false) && Reached(mutant);
}

// A number in a place whose type is not known. It converts to the type that is needed there, as a literal would.
struct Number {
  long long value;
  template <class T>
  requires std::is_arithmetic_v<T>
  constexpr operator T() const {  // NOLINT(google-explicit-constructor): it stands where a literal stood
    return static_cast<T>(value);
  }
};

// Starts a new recording of reached mutants. It does nothing while a mutant is selected.
void Record();
[[nodiscard]] inline bool WasReached(std::size_t mutant) { return states[mutant] == 0; }

}  // namespace outbox_mutation
