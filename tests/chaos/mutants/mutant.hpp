// True if this process is to be the given mutant. OUTBOX_MUTANT chooses it; see ../mutants.py.
#pragma once

#include <cstdlib>
#include <string_view>

namespace outbox::chaos {

inline bool Is(std::string_view mutant) {
  static const char* const chosen = std::getenv("OUTBOX_MUTANT");
  return chosen != nullptr && mutant == chosen;
}

}  // namespace outbox::chaos
