// Is() returns true if this process runs as the given mutant. OUTBOX_MUTANT names the mutant; see ../mutants.py.
#pragma once

#include <cstdlib>
#include <string_view>

namespace outbox::chaos {

inline bool Is(std::string_view mutant) {
  static const char* const chosen = std::getenv("OUTBOX_MUTANT");
  return chosen != nullptr && mutant == chosen;
}

}  // namespace outbox::chaos
