// Engines that are wrong on purpose, so that the simulator can be seen to notice. OUTBOX_MUTANTS is defined for one
// library of the tests and nowhere else; without it OUTBOX_MUTANT is the word `false`: nothing of this is left.
#pragma once

#include <cstdint>

namespace outbox::engine {

enum class Mutant : std::uint8_t { kNone, kConfirmBeforeAck, kOptimisticDeadLetter, kRestartInReportOrder };

}  // namespace outbox::engine

#ifdef OUTBOX_MUTANTS
#define OUTBOX_MUTANT(which) (settings_.mutant == Mutant::which)
#else
#define OUTBOX_MUTANT(which) false
#endif
