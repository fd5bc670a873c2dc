// The mutants of the engine, in a relay that is linked with them.
#include "engine/mutant.hpp"

#include "mutant.hpp"

namespace outbox::engine {

bool IsChosen(Mutant mutant) {
  switch (mutant) {
    case Mutant::kNone:
    case Mutant::kConfirmBeforeAck:  // it waits for reports that it does not take; storage.cpp has one that goes on
    case Mutant::kConfirmRefusalIsOutage:
    case Mutant::kRefusalIsOutage:  // the others are about refusals, of which the simulator has more
    case Mutant::kEarlyTrial:
    case Mutant::kOvertakenTrial:
    case Mutant::kRewindOnSettle:
    case Mutant::kKeyGoesOnEarly:
    case Mutant::kFirstStepsTogether:  // those of the coordinator need a course of events that only the simulator has
    case Mutant::kRegainedIsRenewed:
    case Mutant::kLeaseFromAnswer:
    case Mutant::kReleasedWhenAsked:
    case Mutant::kLeavesUnresolved:
    case Mutant::kTopicHoldsNoKey:  // those of topics need a broker that is slow to tell of them
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
