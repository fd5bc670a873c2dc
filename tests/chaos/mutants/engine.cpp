// Maps the mutant that OUTBOX_MUTANT names to a mutant of the engine. This file is linked into the program
// outbox-relay-mutants.
#include "engine/mutant.hpp"

#include "mutant.hpp"

namespace outbox::engine {

bool IsChosen(Mutant mutant) {
  switch (mutant) {
    case Mutant::kNone:
    // This mutant would wait for reports that it has ignored; storage.cpp has a mutant that confirms early and does not
    // wait.
    case Mutant::kConfirmBeforeAck:
    // Mutants that need refusals: the simulator makes more refusals than a chaos run.
    case Mutant::kConfirmRefusalIsOutage:
    case Mutant::kRefusalIsOutage:
    case Mutant::kEarlyTrial:
    case Mutant::kOvertakenTrial:
    case Mutant::kRewindOnSettle:
    case Mutant::kKeyGoesOnEarly:
    // Mutants of the coordinator: they need a sequence of events that only the simulator makes.
    case Mutant::kFirstStepsTogether:
    case Mutant::kRegainedIsRenewed:
    case Mutant::kLeaseFromAnswer:
    case Mutant::kReleasedWhenAsked:
    case Mutant::kLeavesUnresolved:
    // Mutants of topics: they need a broker that is slow to report its topics.
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
