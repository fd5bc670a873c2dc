// Engines that are wrong on purpose, so that tests can be seen to notice. OUTBOX_MUTANTS is defined for one library of the
// simulator, OUTBOX_MUTANTS_BY_NAME for one relay of the chaos tests, and neither anywhere else: there OUTBOX_MUTANT is the
// word `false`, and nothing of this is left.
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
  // Of ShardCoordinator.
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
