// Tests of relays that share rows instead of shards: a returned row is marked, and belongs to one relay until the mark
// ends.
#include <future>

#include "two_relays.hpp"

namespace outbox::contract {
namespace {

using SteadyClock = std::chrono::steady_clock;

// The coarsest unit of time of a store: a store that counts whole seconds may round the end of a mark up.
constexpr Millis kCoarsest{1000};

void IsGivenToOneRelay(const Subject& subject) {
  TwoRelays two(subject);
  two.rig.Emit(6, std::nullopt);
  const auto some = two.first->Reserve({.max_events = 4});
  Expect(Numbers(some) == "1 2 3 4", "'{}' were returned, expected: 1 to 4", Numbers(some));
  const auto rest = two.second->ReadAll();
  Expect(Numbers(rest) == "5 6", "the second relay was given '{}', expected: 5 6, which the first one has not",
         Numbers(rest));
  two.second->ExpectNothing("the first relay has the other events");
}

void KeyWaitsForTheOtherRelay(const Subject& subject) {
  TwoRelays two(subject);
  two.rig.Need(OUTBOX_CAN_ORDER_KEYS);
  two.rig.Emit({{"k"}, {"k"}, {"other"}, {"k"}});
  const auto head = two.first->Reserve({.max_events = 1});
  Expect(Numbers(head) == "1", "'{}' was returned, expected: 1", Numbers(head));
  const auto beside = two.second->ReadAll();
  Expect(Numbers(beside) == "3", "the second relay was given '{}', expected: 3, as 2 and 4 are queued behind 1",
         Numbers(beside));
  // The first relay continues to read, and gets the events that are queued behind its own event.
  Expect(Numbers(two.first->ReadAll()) == "2 4", "the relay that has 1 was not given 2 and 4");
  two.first->Confirm(head);
  two.second->ExpectNothing("2 and 4 are the first relay's");
}

void KeyGoesOnElsewhereWhenConfirmed(const Subject& subject) {
  TwoRelays two(subject);
  two.rig.Need(OUTBOX_CAN_ORDER_KEYS);
  two.rig.Emit(2, "k");
  const auto head = two.first->Reserve({.max_events = 1});
  two.second->ExpectNothing("2 is queued behind 1, which the first relay has");
  two.first->Confirm(head);
  Expect(Numbers(two.second->ReadAll()) == "2", "2 was not returned after 1 was confirmed");
}

void FailedIsForAnyRelay(const Subject& subject) {
  TwoRelays two(subject);
  two.rig.Need(OUTBOX_CAN_ORDER_KEYS);
  two.rig.Emit(2, "k");
  two.first->Fail(two.first->ReadAll(), OUTBOX_RETRY, two.rig.CanExpire() ? Millis(3'600'000) : Millis(1'000));
  two.second->ExpectNothing("both have failed and are not due yet");
  if (two.rig.CanExpire()) two.rig.MakeRetriesDue();
  const auto head = two.second->Await(1);
  Expect(Numbers(head) == "1", "'{}' was returned, expected: 1, which is due, without 2 behind it", Numbers(head));
  two.first->Forget();
  two.first->ExpectNothing("the second relay has the failed event, and the other one waits behind it");
}

void DeliveredIsInNobodysWay(const Subject& subject) {
  TwoRelays two(subject);
  two.rig.Emit(2, "k");
  const auto head = two.first->Reserve({.max_events = 1});
  const Status recorded = two.first->TryFail(head, OUTBOX_DELIVERED, std::chrono::hours(1));
  if (recorded.code() == OUTBOX_UNSUPPORTED) throw Skipped("it keeps no record of delivered events");
  Ok(recorded);
  const auto next = two.second->ReadAll();
  Expect(Numbers(next) == "2", "'{}' was returned after 1 was recorded as delivered, expected: 2", Numbers(next));
}

void BlockedIsForAnyRelay(const Subject& subject) {
  TwoRelays two(subject);
  two.rig.NeedListing();
  two.rig.Emit(1, "k");
  const auto rows = two.first->ReadAll();
  two.first->Fail(rows, OUTBOX_BLOCK);
  two.second->ExpectNothing("the event is blocked");
  Expect(two.rig.Apply(storage::Change::kRetryNow, rows) == 1, "retry_now did not change the blocked event");
  const auto retry = two.second->Await(1, Millis(1'000));
  Expect(Numbers(retry) == "1", "'{}' was returned, expected: 1", Numbers(retry));
}

void ReleasedIsForAnyRelay(const Subject& subject) {
  TwoRelays two(subject);
  two.rig.Emit(3, "k");
  const auto rows = two.first->ReadAll();
  Ok(two.first->TryRelease({rows[1], rows[2]}));
  two.second->ExpectNothing("2 and 3 are queued behind 1, which the first relay has");
  Ok(two.first->TryRelease({rows[0]}));
  const auto taken = two.second->ReadAll();
  Expect(Numbers(taken) == "1 2 3", "'{}' were returned after their release, expected: 1 2 3", Numbers(taken));
  Expect(taken[0].attempts == 0, "the release counted an attempt");
}

// Simulates a lost answer: the store has marked rows for the relay, but the relay does not know of the marks.
void OwnMarkedRowsComeAgain(const Subject& subject) {
  TwoRelays two(subject);
  two.rig.Emit(3, "k");
  const auto lost = two.first->Reserve({.max_events = 2});
  two.first->Forget();
  const auto rows = two.first->ReadAll();
  Expect(Numbers(rows) == "1 2 3", "'{}' were returned, expected: 1 2, whose answer was lost, and then 3",
         Numbers(rows));
  two.first->Fail({rows[0]});
  two.second->ExpectNothing("1 has failed, and the others are queued behind it");
}

// Expects that the second relay does not get two rows before the promised end of their marks. The first relay reserved
// the rows at `asked`, for the time `wanted`.
void ExpectMarked(TwoRelays& two, Millis wanted, const storage::Batch& batch, SteadyClock::time_point asked) {
  const Millis left = batch.lease_left();
  Expect(left.count() > 0 && left < wanted + kCoarsest,
         "the rows are reserved for {} ms and {} ms were asked for, expected: no longer than to the next second",
         left.count(), wanted.count());
  const auto rows = two.second->Await(2);
  const auto after = std::chrono::duration_cast<Millis>(SteadyClock::now() - asked);
  Expect(after + kTick >= left,
         "another relay was given the rows after {} ms, and they are reserved for {} ms ({} asked)", after.count(),
         left.count(), wanted.count());
  Expect(Numbers(rows) == "1 2", "'{}' were returned, expected: 1 2", Numbers(rows));
}

void MarksEndByThemselves(const Subject& subject) {
  TwoRelays two(subject);
  two.rig.Emit(2, "k");
  const auto asked = SteadyClock::now();
  ExpectMarked(two, Millis(300), Ok(two.first->TryReserve({}, Millis(300))), asked);
}

// A relay may send a row until the end that the last answer promised for the mark on the row.
void MarkIsRenewedByAnotherRead(const Subject& subject) {
  TwoRelays two(subject);
  two.rig.Emit(2, "k");
  (void)Ok(two.first->TryReserve({}, Millis(100)));
  const auto asked = SteadyClock::now();
  const storage::Batch again = Ok(two.first->TryReserve({}, Millis(400)));
  Expect(again.size() == 2, "{} of the 2 rows whose answer was lost were given again", again.size());
  ExpectMarked(two, Millis(400), again, asked);
}

void EachIncarnationIsARelayOfItsOwn(const Subject& subject) {
  TwoRelays two(subject, "same-name#1", "same-name#2");
  two.rig.Emit(2, "k");
  const auto rows = two.first->ReadAll();
  Expect(Numbers(rows) == "1 2", "'{}' were returned, expected: 1 2", Numbers(rows));
  two.second->ExpectNothing("a relay of the same name and another incarnation has the events");
}

// Each relay reads in a thread of its own. The deadline limits the duration of the case on a slow store.
void ReadingAndMarkingAreOneStep(const Subject& subject) {
  TwoRelays two(subject);
  two.rig.Emit(400, std::nullopt);
  const auto stop = SteadyClock::now() + Millis(700);
  const auto read = [stop](Relay* relay) {
    std::vector<Row> all;
    for (bool some = true; some && SteadyClock::now() < stop;) {
      const auto rows = relay->Reserve({.max_events = 2});
      all.insert(all.end(), rows.begin(), rows.end());
      some = !rows.empty();
    }
    return all;
  };
  auto beside = std::async(std::launch::async, read, two.second.get());
  const auto mine = read(two.first.get()), others = beside.get();
  storage::OutstandingRows seen;
  for (const auto* rows : {&mine, &others})
    for (const Row& row : *rows)
      Expect(seen.Add(row.row_id), "two relays that asked at the same time were both given event {}",
             Numbers(std::vector{row}));
}

// A store that neither leases shards nor marks rows returns the same rows to all relays.
void SharingNeedsLeasesOrMarks(const Subject& subject) {
  Rig rig(subject);
  rig.Need(OUTBOX_CAN_SHARE);
  Expect(
      rig.LeasesShards() || rig.store().MarksRows(),
      "it promises OUTBOX_CAN_SHARE, but leases no shards and marks no rows. Add " OUTBOX_LEASES_V1
      " (the interface Leases), or release_events (StorageAdapter::Release) and marks on rows, or give up the promise");
}

}  // namespace

std::vector<Case> MarksCases() {
  return {
      {"marks", "sharing-needs-leases-or-marks", "OUTBOX_CAN_SHARE needs leases of shards or marks on rows.",
       SharingNeedsLeasesOrMarks},
      {"marks", "is-given-to-one-relay", "A row that one relay has reserved is returned to no other.",
       IsGivenToOneRelay},
      {"marks", "key-waits-for-the-other-relay",
       "A row waits while another relay has reserved an earlier row of its key.", KeyWaitsForTheOtherRelay},
      {"marks", "key-goes-on-elsewhere-when-confirmed",
       "When the earlier row of a key is gone, any relay may reserve the next one.", KeyGoesOnElsewhereWhenConfirmed},
      {"marks", "failed-is-for-any-relay", "A failure ends the mark, and any relay may retry the row.",
       FailedIsForAnyRelay},
      {"marks", "delivered-is-in-nobodys-way", "A delivered row that could not be removed has no mark any more.",
       DeliveredIsInNobodysWay},
      {"marks", "blocked-is-for-any-relay",
       "A blocked row has no mark any more; when it is made due, any relay may reserve it.", BlockedIsForAnyRelay},
      {"marks", "released-is-for-any-relay",
       "A released row is free at once, but still waits for earlier rows of its key.", ReleasedIsForAnyRelay},
      {"marks", "own-marked-rows-come-again",
       "Rows that a relay has reserved and that are not outstanding are returned to it again, first in their key.",
       OwnMarkedRowsComeAgain},
      {"marks", "marks-end-by-themselves", "A mark lasts for the requested time, by the database's clock.",
       MarksEndByThemselves},
      {"marks", "repeated-read-renews-the-mark",
       "Rows that are returned again stay marked until the end that the new answer promises.",
       MarkIsRenewedByAnotherRead},
      {"marks", "each-incarnation-is-a-relay-of-its-own", "Two ids that differ only behind the last # are two relays.",
       EachIncarnationIsARelayOfItsOwn},
      {"marks", "reading-and-marking-are-one-step", "Relays that read at the same time get different rows.",
       ReadingAndMarkingAreOneStep},
  };
}

}  // namespace outbox::contract
