// Tests of ConfirmFailed and Release: attempts, backoffs, and the events queued behind a failed one.
#include <thread>

#include "rig.hpp"

namespace outbox::contract {
namespace {

// Emits the events 1, 2 and 3 of key "k" and event 4 of another key. Afterwards event 1 has failed with `disposition`,
// and no row is outstanding.
void FailTheHead(Rig& rig, Relay& relay, std::int32_t disposition) {
  rig.Emit({{"k"}, {"k"}, {"k"}, {"other"}});
  relay.Fail({relay.Await(4)[0]}, disposition);
  relay.Forget();
}

void CountsAttempts(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(1, "k");
  Relay relay(rig);
  for (std::uint32_t attempt = 0; attempt < 3; ++attempt) {
    const auto rows = relay.Await(1);
    Expect(rows[0].attempts == attempt, "the event has {} attempts, expected: {}", rows[0].attempts, attempt);
    relay.Fail(rows);
    rig.ExpectState(EventId(1), OUTBOX_STATE_RETRYING, attempt + 1);
    rig.MakeRetriesDue();
  }
}

void NotDueIsNotReturned(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(1, "k");
  Relay relay(rig);
  relay.Fail(relay.Await(1));
  relay.ExpectNothing("the event is due again in an hour");
  relay.Reconnect();
  relay.ExpectNothing("the event is due again in an hour, whatever the session");
}

void IsDueByItselfInTime(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(1, "k");
  Relay relay(rig);
  const auto rows = relay.Await(1);
  const auto before = std::chrono::steady_clock::now();
  relay.Fail(rows, OUTBOX_RETRY, Millis(400));
  relay.Await(1);
  const auto waited = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - before);
  Expect(waited >= Millis(390), "the event was returned after {} ms though it was due after 400", waited.count());
  Expect(waited < Millis(3'000), "the event was returned only after {} ms though it was due after 400", waited.count());
}

void FollowersWait(const Subject& subject) {
  Rig rig(subject);
  rig.Need(OUTBOX_CAN_ORDER_KEYS);
  Relay relay(rig);
  FailTheHead(rig, relay, OUTBOX_RETRY);
  Expect(Numbers(relay.ReadAll(/*rewind=*/true)) == "4", "the rewind did not return just the other key's event");
  rig.Emit(1, "k");
  relay.ExpectNothing("the key waits behind its failed event, and so does its new one");
}

void RetryIsReturnedBeforeItsFollowers(const Subject& subject) {
  Rig rig(subject);
  rig.Need(OUTBOX_CAN_ORDER_KEYS);
  Relay relay(rig);
  FailTheHead(rig, relay, OUTBOX_RETRY);
  relay.ReadAll(/*rewind=*/true);
  rig.MakeRetriesDue();
  const auto head = relay.Await(1);
  Expect(Numbers(head) == "1", "'{}' was returned, expected: 1, alone, without a rewind", Numbers(head));
  relay.ExpectNothing("the failed event is outstanding");
  relay.Confirm(head);
  Expect(Numbers(relay.ReadAll(/*rewind=*/true)) == "2 3", "its followers were not returned after it was confirmed");
}

void EarlierFailureComesFirst(const Subject& subject) {
  Rig rig(subject);
  rig.Need(OUTBOX_CAN_ORDER_KEYS);
  Relay relay(rig);
  rig.Emit(3, "k");
  const auto rows = relay.Await(3);
  relay.Fail({rows[0], rows[1]});
  relay.Forget();
  rig.MakeRetriesDue();
  const auto first = relay.ReadAll(/*rewind=*/true);
  Expect(Numbers(first) == "1", "two events of the key are due and '{}' was returned, expected: 1", Numbers(first));
  relay.Confirm(first);
  const auto second = relay.ReadAll(/*rewind=*/true);
  Expect(Numbers(second) == "2", "then '{}' was returned, expected: 2", Numbers(second));
  relay.Confirm(second);
  Expect(Numbers(relay.ReadAll(/*rewind=*/true)) == "3", "after 1 and 2 were confirmed, 3 was not returned");
}

void DueRetryDoesNotOvertake(const Subject& subject) {
  Rig rig(subject);
  rig.Need(OUTBOX_CAN_ORDER_KEYS);
  Relay relay(rig);
  rig.Emit(3, "k");
  const auto rows = relay.Await(3);
  relay.Fail({rows[1]}, OUTBOX_RETRY, Millis(0));
  // A plugin may return the retry in the same batch as the new row, or with the next call.
  for (const std::uint32_t limit : {10U, 1U, 1U}) {
    relay.Forget();
    const auto first = relay.Reserve({.max_events = limit, .mode = OUTBOX_REWIND});
    Expect(Numbers(first) == "1" || (limit > 1 && Numbers(first) == "1 2"),
           "'{}' was returned first with a limit of {}, expected: 1, which is older than the retry", Numbers(first),
           limit);
  }
  const auto second = relay.Reserve({.max_events = 1});
  Expect(Numbers(second) == "2", "then '{}' was returned, expected: 2, which is due", Numbers(second));
}

void DueOutstandingRetriesDoNotHideOthers(const Subject& subject) {
  Rig rig(subject);
  Relay relay(rig);
  rig.Emit(30, std::nullopt);
  relay.Fail(relay.Await(30));
  relay.ExpectNothing("all events are due again in an hour");
  rig.MakeRetriesDue();
  std::size_t read = 0;
  for (bool more = true; more;) read += relay.Reserve({.max_events = 5}, &more).size();
  Expect(read == 30, "{} of 30 due events were returned, then the plugin said that there is no more", read);
}

void BlockedKeyWaitsOthersFlow(const Subject& subject) {
  Rig rig(subject);
  rig.Need(OUTBOX_CAN_ORDER_KEYS);
  Relay relay(rig);
  FailTheHead(rig, relay, OUTBOX_BLOCK);
  rig.ExpectState(EventId(1), OUTBOX_STATE_BLOCKED, 1);
  rig.MakeRetriesDue();
  Expect(Numbers(relay.ReadAll(/*rewind=*/true)) == "4", "the rewind did not return just the other key's event");
  rig.Emit({{"other"}, {}});
  Expect(Numbers(relay.Await(2)) == "5 6", "the events of other keys were not returned");
}

void ConfirmSettlesAFailedEvent(const Subject& subject) {
  Rig rig(subject);
  Relay relay(rig);
  rig.Emit(2, "k");
  const auto rows = relay.Await(2);
  relay.Fail({rows[0]});
  relay.Confirm({rows[0]});
  rig.ExpectState(EventId(1), OUTBOX_STATE_ABSENT, 0);
  relay.Forget();
  Expect(Numbers(relay.ReadAll(/*rewind=*/true)) == "2", "its follower was not returned");
}

// An event is recorded as delivered if it is in Kafka but the database refuses to remove its row.
void DeliveredIsNeverReturned(const Subject& subject) {
  Rig rig(subject);
  Relay relay(rig);
  rig.Emit({{"k"}, {"k"}, {"other"}});
  const auto rows = relay.Await(3);
  const Status recorded = relay.TryFail({rows[0]}, OUTBOX_DELIVERED, std::chrono::hours(1));
  if (recorded.code() == OUTBOX_UNSUPPORTED) throw Skipped("it keeps no record of delivered events");
  Ok(recorded);
  rig.ExpectState(EventId(1), OUTBOX_STATE_DELIVERED, 1);
  relay.Forget();
  for (const bool due : {false, true}) {
    if (due) rig.MakeRetriesDue();
    Expect(Numbers(relay.ReadAll(/*rewind=*/true)) == "2 3", "a rewind did not return just the two others");
    relay.Forget();
  }
  relay.Reconnect();
  const auto others = relay.ReadAll(/*rewind=*/true);
  Expect(Numbers(others) == "2 3", "another session was given '{}', expected: 2 3", Numbers(others));
  relay.Confirm(others);
  rig.Emit(1, "k");
  Expect(Numbers(relay.Await(1)) == "4", "the next event of the key was not returned");
  // A relay that has nevertheless sent the event may confirm it.
  relay.Confirm({rows[0]});
  rig.ExpectState(EventId(1), OUTBOX_STATE_ABSENT, 0);
}

void DeliveredIsRemovedLater(const Subject& subject) {
  Rig rig(subject);
  rig.NeedListing();
  Relay relay(rig);
  rig.Emit({{"k"}, {"k"}, {"other"}});
  const auto rows = relay.Await(3);
  Ok(relay.TryFail({rows[0]}, OUTBOX_DELIVERED, std::chrono::hours(1)));
  Ok(relay.TryFail({rows[2]}, OUTBOX_DELIVERED, std::chrono::hours(1)));
  relay.Fail({rows[1]}, OUTBOX_BLOCK);
  Expect(Numbers(rig.List({.from = OUTBOX_FROM_DELIVERED, .max = 10})) == "1 3", "1 and 3 are not listed as delivered");
  Expect(Numbers(rig.List({.from = OUTBOX_FROM_FAILED, .max = 10})) == "2", "2 alone is not listed as failed");
  Expect(Numbers(rig.List({.from = OUTBOX_FROM_OUTBOX, .max = 10})) == "1 2 3", "not all are listed");
  Expect(rig.Apply(storage::Change::kRetryNow, rows) == 1, "a delivered event was made due");
  Expect(rig.Apply(storage::Change::kDiscardBlocked, std::vector{rows[0]}) == 0, "a delivered event was discarded");
  const auto due = [&] { return Ok(rig.session().RemoveDelivered({}, Millis(1000), Within(Millis(10'000)))); };
  Expect(due() == 0, "an event was removed before its time");
  Expect(rig.Apply(storage::Change::kRemoveDelivered, std::vector{rows[0], rows[1]}) == 1, "not just 1 was removed");
  rig.ExpectState(EventId(1), OUTBOX_STATE_ABSENT, 0);
  rig.MakeRetriesDue();
  Expect(due() == 1, "the due event was not removed");
  rig.ExpectState(EventId(3), OUTBOX_STATE_ABSENT, 0);
  Expect(rig.List({.from = OUTBOX_FROM_DELIVERED, .max = 10}).empty(), "a removed event is still listed");
}

void FailingAGoneEventChangesNothing(const Subject& subject) {
  Rig rig(subject);
  Relay relay(rig);
  rig.Emit(2, "k");
  const auto rows = relay.Await(2);
  relay.Confirm({rows[0]});
  for (const std::int32_t disposition : {OUTBOX_RETRY, OUTBOX_BLOCK}) {
    relay.Fail({rows[0]}, disposition);
    rig.ExpectState(EventId(1), OUTBOX_STATE_ABSENT, 0);
  }
  relay.Forget();
  Expect(Numbers(relay.ReadAll(/*rewind=*/true)) == "2", "the key waits for an event that is gone");
}

void ReleasedIsDueAtOnceAndCountsNothing(const Subject& subject) {
  Rig rig(subject);
  rig.NeedMarks();
  Relay relay(rig);
  rig.Emit(2, "k");
  Ok(relay.TryRelease(relay.Await(2)));
  const auto rows = relay.ReadAll(/*rewind=*/true);
  Expect(Numbers(rows) == "1 2", "'{}' was returned, expected: 1 2", Numbers(rows));
  Expect(rows[0].attempts == 0, "the release counted an attempt");
}

}  // namespace

std::vector<Case> FailedCases() {
  return {
      {"failed", "counts-attempts", "Each failure counts one attempt, and the event is returned with their number.",
       CountsAttempts},
      {"failed", "not-due-is-not-returned", "A failed event waits for retry_after_ms.", NotDueIsNotReturned},
      {"failed", "is-due-by-itself-in-time", "After retry_after_ms it is returned, not earlier, without a rewind.",
       IsDueByItselfInTime},
      {"failed", "followers-of-a-failed-key-wait",
       "Later events of a failed event's key wait; events of other keys do not.", FollowersWait},
      {"failed", "retry-due-is-returned-before-its-followers",
       "A due retry is returned first; its key goes on only after the retry is settled.",
       RetryIsReturnedBeforeItsFollowers},
      {"failed", "earlier-failure-comes-first", "Two failed events of a key come back one after the other.",
       EarlierFailureComesFirst},
      {"failed", "due-retry-does-not-overtake", "A rewind returns older events of a key before a due retry of it.",
       DueRetryDoesNotOvertake},
      {"failed", "due-outstanding-retries-do-not-hide-others", "Many due events are all returned in small batches.",
       DueOutstandingRetriesDoNotHideOthers},
      {"failed", "blocked-key-waits-others-flow", "A blocked event is never due by itself; its key waits.",
       BlockedKeyWaitsOthersFlow},
      {"failed", "confirm-settles-a-failed-event", "After a confirm nothing is left of an event that had failed.",
       ConfirmSettlesAFailedEvent},
      {"failed", "delivered-is-never-returned",
       "An event that was delivered and could not be removed is never returned again.", DeliveredIsNeverReturned},
      {"failed", "delivered-is-removed-later",
       "The removal of a delivered event is retried when it is due, and when an operator asks.",
       DeliveredIsRemovedLater},
      {"failed", "failing-a-gone-event-changes-nothing", "An event that is gone cannot come back as failed.",
       FailingAGoneEventChangesNothing},
      {"failed", "released-is-due-at-once-and-counts-nothing",
       "A released event is due at once, and no attempt is counted.", ReleasedIsDueAtOnceAndCountsNothing},
  };
}

}  // namespace outbox::contract
