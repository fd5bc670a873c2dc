// Mutants: engines that are wrong on purpose, to show that the tests detect the fault. OUTBOX_MUTANTS is defined only
// for one library of the simulator, and OUTBOX_MUTANTS_BY_NAME only for one relay of the chaos tests. In all other
// builds OUTBOX_MUTANT expands to `false`, so these builds contain no code of the mutants.
#pragma once

#include <cstdint>

namespace outbox::engine {

enum class Mutant : std::uint8_t {
  kNone,
  kConfirmBeforeAck,
  kOptimisticDeadLetter,
  kRestartInReportOrder,
  kRewindOnSettle,
  kKeyGoesOnEarly,
  kRefusalIsOutage,
  kEarlyTrial,
  kOvertakenTrial,
  kConfirmRefusalIsOutage,
  kTopicHoldsNoKey,
  kTopicIsNotFound,
  kTopicIsCharged,
  // The following are mutants of ShardCoordinator.
  kFirstStepsTogether,
  kRegainedIsRenewed,
  kLeaseFromAnswer,
  kReleasedWhenAsked,
  kLeavesUnresolved,
};

#ifdef OUTBOX_MUTANTS_BY_NAME
[[nodiscard]] bool IsChosen(Mutant mutant);
#endif

}  // namespace outbox::engine

#if defined(OUTBOX_MUTANTS)
#define OUTBOX_MUTANT(which) (settings_.mutant == Mutant::which)
#elif defined(OUTBOX_MUTANTS_BY_NAME)
#define OUTBOX_MUTANT(which) IsChosen(Mutant::which)
#else
#define OUTBOX_MUTANT(which) false
#endif
