// Where relays share rows, not shards: what one is given is marked, and nobody else's until the mark ends.
#include "rig.hpp"

namespace outbox::contract {
namespace {

// Two relays, and nothing given to either of them yet.
struct Two {
  explicit Two(const Subject& subject) : rig(subject) {
    rig.NeedMarks();
    first = std::make_unique<Relay>(rig, "first#1");
    second = std::make_unique<Relay>(rig, "second#1");
  }
  Rig rig;
  std::unique_ptr<Relay> first, second;
};

void IsGivenToOneRelay(const Subject& subject) {
  Two two(subject);
  two.rig.Emit(6, std::nullopt);
  const auto some = two.first->Reserve({.max_events = 4});
  Expect(Numbers(some) == "1 2 3 4", "'{}' were returned, expected: 1 to 4", Numbers(some));
  const auto rest = two.second->ReadAll();
  Expect(Numbers(rest) == "5 6", "the second relay was given '{}', expected: 5 6, which the first one has not",
         Numbers(rest));
  two.second->ExpectNothing("the first relay has the other events");
}

void KeyWaitsForTheOtherRelay(const Subject& subject) {
  Two two(subject);
  two.rig.Need(OUTBOX_CAN_ORDER_KEYS);
  two.rig.Emit({{"k"}, {"k"}, {"other"}, {"k"}});
  const auto head = two.first->Reserve({.max_events = 1});
  Expect(Numbers(head) == "1", "'{}' was returned, expected: 1", Numbers(head));
  const auto beside = two.second->ReadAll();
  Expect(Numbers(beside) == "3", "the second relay was given '{}', expected: 3 alone, as 2 and 4 stand behind 1",
         Numbers(beside));
  // What the first relay reads on is behind its own event.
  Expect(Numbers(two.first->ReadAll()) == "2 4", "the relay that has 1 was not given 2 and 4");
  two.first->Confirm(head);
  two.second->ExpectNothing("2 and 4 are the first relay's");
}

void KeyGoesOnElsewhereWhenConfirmed(const Subject& subject) {
  Two two(subject);
  two.rig.Need(OUTBOX_CAN_ORDER_KEYS);
  two.rig.Emit(2, "k");
  const auto head = two.first->Reserve({.max_events = 1});
  two.second->ExpectNothing("2 stands behind 1, which the first relay has");
  two.first->Confirm(head);
  Expect(Numbers(two.second->ReadAll()) == "2", "2 was not returned after 1 was confirmed");
}

void FailedIsForAnyRelay(const Subject& subject) {
  Two two(subject);
  two.rig.Need(OUTBOX_CAN_ORDER_KEYS);
  two.rig.Emit(2, "k");
  two.first->Fail(two.first->ReadAll());
  two.second->ExpectNothing("both are due again in an hour");
  two.rig.MakeRetriesDue();
  const auto head = two.second->ReadAll();
  Expect(Numbers(head) == "1", "'{}' was returned, expected: 1, which is due, without 2 behind it", Numbers(head));
  two.first->Forget();
  two.first->ExpectNothing("the second relay has the failed event, and the other one waits behind it");
}

void ReleasedIsForAnyRelay(const Subject& subject) {
  Two two(subject);
  two.rig.Emit(3, "k");
  const auto rows = two.first->ReadAll();
  Ok(two.first->TryRelease({rows[1], rows[2]}));
  two.second->ExpectNothing("2 and 3 stand behind 1, which the first relay has");
  Ok(two.first->TryRelease({rows[0]}));
  const auto taken = two.second->ReadAll();
  Expect(Numbers(taken) == "1 2 3", "'{}' were returned after their release, expected: 1 2 3", Numbers(taken));
  Expect(taken[0].attempts == 0, "the release counted an attempt");
}

// As where the answer was lost: the store has marked the rows, and the relay does not know of them.
void OwnMarkedRowsComeAgain(const Subject& subject) {
  Two two(subject);
  two.rig.Emit(3, "k");
  const auto lost = two.first->Reserve({.max_events = 2});
  two.first->Forget();
  const auto rows = two.first->ReadAll();
  Expect(Numbers(rows) == "1 2 3", "'{}' were returned, expected: 1 2, whose answer was lost, and then 3",
         Numbers(rows));
  two.first->Fail({rows[0]});
  two.second->ExpectNothing("1 has failed, and the others stand behind it");
}

void MarksEndByThemselves(const Subject& subject) {
  Two two(subject);
  two.rig.Emit(2, "k");
  constexpr Millis kShort{300};
  const auto asked = std::chrono::steady_clock::now();
  const storage::Batch batch = Ok(two.first->TryReserve({}, kShort));
  const auto left = batch.lease_left();
  Expect(left.count() > 0 && left <= kShort, "the events are reserved for {} ms, and {} ms were asked for",
         left.count(), kShort.count());
  const auto rows = two.second->Await(2);
  Expect(std::chrono::steady_clock::now() - asked >= left, "the events were given away before their time");
  Expect(Numbers(rows) == "1 2", "'{}' were returned, expected: 1 2", Numbers(rows));
}

void StaleMarkChangesNothing(const Subject& subject) {
  Two two(subject);
  two.rig.Need(OUTBOX_CAN_FENCE);
  two.rig.Emit(3, "k");
  const auto rows = two.first->ReadAll();
  two.rig.ExpireLeases();
  const auto taken = two.second->ReadAll();
  Expect(Numbers(taken) == "1 2 3", "'{}' were returned when the marks had ended, expected: 1 2 3", Numbers(taken));
  for (const std::int32_t disposition : {OUTBOX_RETRY, OUTBOX_BLOCK, OUTBOX_DEAD}) {
    const Status status = two.first->TryFail(rows, disposition, Millis(0));
    Expect(status.code() == OUTBOX_LEASE_LOST, "confirm_failed under a stale token answered code {}: {}", status.code(),
           status.text());
    for (std::size_t i = 1; i <= 3; ++i) two.rig.ExpectState(EventId(i), OUTBOX_STATE_WAITING, 0);
  }
  const Status status = two.first->TryRelease(rows);
  Expect(status.code() == OUTBOX_LEASE_LOST, "release_events under a stale token answered code {}", status.code());
  two.first->Forget();
  two.first->ExpectNothing("the second relay has the events");
  two.first->Confirm({rows[0]});
  two.rig.ExpectState(EventId(1), OUTBOX_STATE_ABSENT, 0);
}

}  // namespace

std::vector<Case> MarksCases() {
  return {
      {"marks", "is-given-to-one-relay", "What one relay has reserved no other is given.", IsGivenToOneRelay},
      {"marks", "key-waits-for-the-other-relay", "A row waits while another relay has an earlier one of its key.",
       KeyWaitsForTheOtherRelay},
      {"marks", "key-goes-on-elsewhere-when-confirmed", "When the earlier row is gone, any relay is given the next.",
       KeyGoesOnElsewhereWhenConfirmed},
      {"marks", "failed-is-for-any-relay", "A failure ends the mark: any relay may retry.", FailedIsForAnyRelay},
      {"marks", "released-is-for-any-relay", "A row given back is free at once, behind what its key still waits for.",
       ReleasedIsForAnyRelay},
      {"marks", "own-marked-rows-come-again", "What a relay was given and does not have comes first in its key.",
       OwnMarkedRowsComeAgain},
      {"marks", "marks-end-by-themselves", "A mark lasts as long as was asked, by the database's clock.",
       MarksEndByThemselves},
      {"marks", "stale-mark-changes-nothing", "Fail and release under a stale token answer LEASE_LOST; confirm works.",
       StaleMarkChangesNothing},
  };
}

}  // namespace outbox::contract
