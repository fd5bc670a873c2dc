// Maps the mutant that OUTBOX_MUTANT names to a mutant of the engine. This file is linked into the program
// outbox-relay-mutants.
#include "engine/mutant.hpp"

#include "mutant.hpp"

namespace outbox::engine {

bool IsChosen(Mutant mutant) {
  switch (mutant) {
    case Mutant::kNone:
    // A relay with this mutant waits for delivery reports that it has ignored. storage.cpp has a mutant that confirms
    // early and does not wait.
    case Mutant::kConfirmBeforeAck:
    // These mutants need refusals, which the simulator makes more often than a chaos run.
    case Mutant::kConfirmRefusalIsOutage:
    case Mutant::kRefusalIsOutage:
    case Mutant::kEarlyTrial:
    case Mutant::kOvertakenTrial:
    case Mutant::kRewindOnSettle:
    case Mutant::kKeyGoesOnEarly:
    // These mutants of the coordinator need a sequence of events that only the simulator makes.
    case Mutant::kFirstStepsTogether:
    case Mutant::kRegainedIsRenewed:
    case Mutant::kLeaseFromAnswer:
    case Mutant::kReleasedWhenAsked:
    case Mutant::kLeavesUnresolved:
    // These mutants of topics need a broker that is slow to report its topics.
    case Mutant::kTopicHoldsNoKey:
    case Mutant::kTopicIsNotFound:
    case Mutant::kTopicIsCharged:
      return false;
    case Mutant::kOptimisticDeadLetter:
      return chaos::Is("optimistic-dead-letter");
    case Mutant::kRestartInReportOrder:
      return chaos::Is("restart-in-report-order");
  }
  return false;
}

}  // namespace outbox::engine
