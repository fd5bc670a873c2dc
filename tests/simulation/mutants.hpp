// Relays that are wrong on purpose. Each mutant breaks a rule on which the promises of ledger.hpp depend, and the
// simulator has to notice the broken rule.
//
// A mutant is selected with Scenario::mutant or `outbox-simulation --mutant NAME`. Mutants of the storage, of the
// client and of the shell (the runtime around the engine) are switches in the models. Mutants of the engine and of the
// shard coordinator exist only in a second build of both with OUTBOX_MUTANTS, for the tests (engine/mutant.hpp).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace outbox::simulation {

enum class Mutant : std::uint8_t {
  kNone,
  kConfirmBeforeAck,
  kConfirmOnImplied,
  kIdCursorOnly,
  kSeparateRescan,
  kSharedCursor,
  kForgetAtOnce,
  kMessageTimeout,
  kNoFirstFlight,
  kOptimisticDeadLetter,
  kUnfencedFail,
  kLocalWallClock,
  kRestartInReportOrder,
  kSkipBlockedHead,
  kIdReuse,
  kOvertaking,
  kRefusalIsOutage,
  kEarlyTrial,
  kOvertakenTrial,
  kMarksFade,
  kFirstStepsTogether,
  kRewindOnSettle,
  kKeyGoesOnEarly,
  kRetriesFirst,
  kRescanWithoutLateRows,
  kConfirmRefusalIsOutage,
  kDeliveredHoldsBack,
  kDeliveredComesAgain,
  kFailedReadIsForgotten,
  kRegainedIsRenewed,
  kLeaseFromAnswer,
  kReleasedWhenAsked,
  kLeavesUnresolved,
  kMarksRowsAlone,
  kTopicHoldsNoKey,
  kTopicIsNotFound,
  kTopicIsCharged,
};

struct MutantInfo {
  Mutant mutant;
  std::string_view name, lives_in, breaks;
  std::string_view scenario;  // The scenario in which the tests must catch the mutant.
};

inline constexpr std::array<MutantInfo, 36> kMutants = {{
    {Mutant::kConfirmBeforeAck, "confirm-before-ack", "engine", "a row is deleted when its event is sent", "quiet"},
    {Mutant::kConfirmOnImplied, "confirm-on-implied", "client", "a success without an offset counts", "broker"},
    {Mutant::kIdCursorOnly, "id-cursor-only", "storage", "reads look above the last id only", "late-commits"},
    {Mutant::kSeparateRescan, "separate-rescan", "storage", "fresh rows and late ones are read apart", "late-commits"},
    {Mutant::kSharedCursor, "shared-cursor", "storage", "a gained shard is read from where the others are",
     "no-fault-of-note"},
    {Mutant::kForgetAtOnce, "forget-at-once", "shell", "a confirmed row is not kept out of the read under way",
     "no-fault-of-note"},
    {Mutant::kMessageTimeout, "message-timeout", "client", "the client drops records by their age", "broker"},
    {Mutant::kNoFirstFlight, "no-first-flight", "engine", "a lane is used before it is proven", "broker"},
    {Mutant::kOptimisticDeadLetter, "optimistic-dead-letter", "engine", "the key goes on before the dead write commits",
     "poison-dies"},
    {Mutant::kUnfencedFail, "unfenced-fail", "storage", "a stale owner's failures are taken", "paused"},
    {Mutant::kLocalWallClock, "local-wall-clock", "storage", "leases end by the clock of who asks", "clocks"},
    {Mutant::kRestartInReportOrder, "restart-in-report-order", "engine", "after a reset, sent again as reports came",
     "broker"},
    {Mutant::kSkipBlockedHead, "skip-blocked-head", "storage", "rows behind a failed one of their key are read",
     "poison-blocks"},
    {Mutant::kIdReuse, "id-reuse", "storage", "the id of a deleted newest row is given again", "late-commits"},
    {Mutant::kOvertaking, "overtaking", "client", "requests pass one that was refused", "poison-blocks"},
    {Mutant::kEarlyTrial, "early-trial", "engine", "a trial does not wait for what was sent before it", "poison-dies"},
    {Mutant::kOvertakenTrial, "overtaken-trial", "engine", "what follows a trial in its key goes with the others",
     "poison-blocks"},
    {Mutant::kRefusalIsOutage, "refusal-is-outage", "engine", "a refusal is waited for like an outage", "refusals"},
    {Mutant::kMarksFade, "marks-fade", "storage", "what was marked is forgotten with its owner", "killers"},
    {Mutant::kFirstStepsTogether, "first-steps-together", "coordinator", "all shards take their first steps at once",
     "killers"},
    {Mutant::kRewindOnSettle, "rewind-on-settle", "engine", "each settled retry rewinds the reading", "many-failures"},
    {Mutant::kKeyGoesOnEarly, "key-goes-on-early", "engine", "a key goes on before its rescan has ended",
     "poison-blocks"},
    {Mutant::kRetriesFirst, "retries-first", "storage", "due retries take whole batches", "many-failures"},
    {Mutant::kRescanWithoutLateRows, "rescan-without-late-rows", "storage",
     "a rescan does not look below where it stands", "late-commits-of-failing-keys"},
    {Mutant::kConfirmRefusalIsOutage, "confirm-refusal-is-outage", "engine",
     "a refused confirm is asked for again as it was", "refused-confirms"},
    {Mutant::kDeliveredHoldsBack, "delivered-holds-back", "storage", "a key waits for an event that is delivered",
     "refused-confirms"},
    {Mutant::kDeliveredComesAgain, "delivered-comes-again", "storage", "what is recorded as delivered is read again",
     "refused-confirms"},
    {Mutant::kFailedReadIsForgotten, "failed-read-is-forgotten", "shell", "nobody hears that a read has failed",
     "no-fault-of-note"},
    {Mutant::kRegainedIsRenewed, "regained-is-renewed", "coordinator", "a shard regained under another token goes on",
     "paused"},
    {Mutant::kLeaseFromAnswer, "lease-from-answer", "coordinator",
     "a lease is counted from the answer to the heartbeat", "paused"},
    {Mutant::kReleasedWhenAsked, "released-when-asked", "coordinator", "a shard is released before it is resolved",
     "no-fault-of-note"},
    {Mutant::kLeavesUnresolved, "leaves-unresolved", "coordinator", "a relay leaves with all shards, resolved or not",
     "hand-over-in-trouble"},
    {Mutant::kMarksRowsAlone, "marks-rows-alone", "storage", "rows are read behind one that another relay has marked",
     "marked-rows"},
    {Mutant::kTopicHoldsNoKey, "topic-holds-no-key", "engine", "a key goes on while the topic of an event is not known",
     "unknown-topics"},
    {Mutant::kTopicIsNotFound, "topic-is-not-found", "engine", "what waits for its topic is not read again",
     "unknown-topics"},
    {Mutant::kTopicIsCharged, "topic-is-charged", "engine", "an event fails because its topic is not known yet",
     "unknown-topics"},
}};

}  // namespace outbox::simulation
