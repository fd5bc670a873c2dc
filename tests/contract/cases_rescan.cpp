// Tests of rescans beside normal reads, and of batches that contain due retries and new rows.
#include <algorithm>
#include <thread>

#include "rig.hpp"

namespace outbox::contract {
namespace {

// The maximum number of calls until one of them reports that there is nothing more to read.
constexpr int kMaxSteps = 200;

void FindsWhatIsNotOutstanding(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(6, "k");
  Relay relay(rig);
  const auto rows = relay.Await(6);
  for (std::size_t i = 3; i < 6; ++i) relay.Forget(rows[i]);
  const auto again = relay.Rescan();
  Expect(Numbers(again) == "4 5 6", "the rescan returned '{}', expected: 4 5 6, which the relay had forgotten",
         Numbers(again));
  rig.Emit(1, "k");
  Expect(Numbers(relay.Await(1)) == "7", "after the rescan, reading did not return exactly the new event");
}

void GoesInStepsAndEnds(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(10, "k");
  Relay relay(rig);
  relay.Await(10);
  relay.Forget();
  std::vector<Row> found;
  std::uint32_t reached = OUTBOX_RESCAN_GOES_ON;
  for (int steps = 0; found.size() < 10; ++steps) {
    Expect(steps < kMaxSteps, "{} steps found {} of 10 events", steps, found.size());
    const auto rows = relay.RescanStep(reached, 3);
    Expect(rows.size() <= 3, "a step returned {} events though 3 were asked for", rows.size());
    for (const Row& row : rows) found.push_back(row);
    // A plugin that treats OUTBOX_RESCAN like OUTBOX_REWIND returns the remaining events through normal reads.
    if (reached == OUTBOX_RESCAN_DONE)
      for (Row& row : relay.ReadAll()) found.push_back(std::move(row));
  }
  Expect(Numbers(found) == "1 2 3 4 5 6 7 8 9 10", "the rescan returned '{}', expected: 1 to 10", Numbers(found));
  for (int steps = 0; reached == OUTBOX_RESCAN_GOES_ON; ++steps) {
    Expect(steps < kMaxSteps, "the rescan does not end");
    Expect(relay.RescanStep(reached).empty(), "the rescan returned an event twice");
  }
}

void EndsWhileRowsKeepComing(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(4, "k");
  Relay relay(rig);
  const auto first = relay.Await(4);
  std::size_t found = 0, emitted = 4;
  for (const Row& row : first) relay.Forget(row);
  std::uint32_t reached = OUTBOX_RESCAN_GOES_ON;
  for (int steps = 0; reached == OUTBOX_RESCAN_GOES_ON; ++steps) {
    Expect(steps < kMaxSteps, "the rescan does not end while events are added");
    found += relay.RescanStep(reached, 1).size();
    rig.Emit(2, "other");
    emitted += 2;
    found += relay.ReadAll().size();
  }
  found += relay.ReadAll().size();
  Expect(found == emitted, "reading and rescan returned {} events of {}", found, emitted);
}

void ReadingGoesOnBesideIt(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(6, "k");
  Relay relay(rig);
  relay.Await(6);
  relay.Forget();
  std::uint32_t reached = 0;
  auto found = relay.RescanStep(reached, 2);
  if (reached != OUTBOX_RESCAN_GOES_ON) throw Skipped("this plugin rewinds instead");
  rig.Emit(2, "k");
  Expect(Numbers(relay.Await(2)) == "7 8", "during a rescan, reading did not return exactly the new events");
  for (Row& row : relay.Rescan()) found.push_back(std::move(row));
  Expect(Numbers(found) == "1 2 3 4 5 6", "the rescan returned '{}', expected: 1 to 6", Numbers(found));
}

void PassesOverFailedKeys(const Subject& subject) {
  Rig rig(subject);
  rig.Need(OUTBOX_CAN_ORDER_KEYS);
  rig.Emit({{"k"}, {"k"}, {"other"}, {"k"}});
  Relay relay(rig);
  const auto rows = relay.Await(4);
  relay.Fail({rows[0]});
  relay.Forget();
  Expect(Numbers(relay.Rescan()) == "3", "the rescan did not return just the other key's event");
  rig.MakeRetriesDue();
  const auto head = relay.Await(1);
  Expect(Numbers(head) == "1", "'{}' was returned, expected: 1, which is due", Numbers(head));
  relay.Confirm(head);
  Expect(Numbers(relay.Rescan()) == "2 4", "after 1 was confirmed the rescan did not return its followers");
}

void DueRetriesLeaveRoomForNewRows(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(30, std::nullopt);
  Relay relay(rig);
  relay.Fail(relay.Await(30));
  rig.MakeRetriesDue();
  rig.Emit(20, std::nullopt);
  const auto count_new = [](const std::vector<Row>& rows) {
    return std::count_if(rows.begin(), rows.end(), [](const Row& row) { return row.attempts == 0; });
  };
  const auto mixed = relay.Reserve({.max_events = 8});
  Expect(count_new(mixed) >= 4, "a batch of {} had {} new events, expected: 4 at least", mixed.size(),
         count_new(mixed));
  Expect(count_new(mixed) < 8, "the batch contains no due retries, only new events");
  auto single = relay.Reserve({.max_events = 1});
  for (Row& row : relay.Reserve({.max_events = 1})) single.push_back(std::move(row));
  Expect(single.size() == 2 && count_new(single) == 1, "two batches of one did not hold one event of each kind");
  const std::size_t rest = relay.ReadAll().size();
  Expect(mixed.size() + 2 + rest == 50, "{} of 50 events were returned", mixed.size() + 2 + rest);
}

// With skip_retries, a plugin may return or omit due retries. It must return new rows, and must not return rows that
// are queued behind a failed one. Later reads without skip_retries return the retries.
void RetriesMayBeLeftOut(const Subject& subject) {
  Rig rig(subject);
  rig.Need(OUTBOX_CAN_ORDER_KEYS);
  rig.Emit({{"k"}, {"k"}, {"other"}});
  Relay relay(rig);
  const auto rows = relay.Await(3);
  relay.Fail({rows[0], rows[2]});
  relay.Forget();
  rig.MakeRetriesDue();
  rig.Emit({{"third"}, {"k"}});
  std::vector<Row> found;
  const auto is_new = [](const Row& row) { return row.key == "third"; };
  for (int reads = 0; std::none_of(found.begin(), found.end(), is_new); ++reads) {
    Expect(reads < kMaxSteps, "{} reads that skip retries did not return the new event", reads);
    for (Row& row : relay.Reserve({.skip_retries = true})) found.push_back(std::move(row));
  }
  for (Row& row : relay.ReadAll()) found.push_back(std::move(row));
  std::sort(found.begin(), found.end(), [](const Row& a, const Row& b) { return a.event_id < b.event_id; });
  Expect(Numbers(found) == "1 3 4", "'{}' were returned, expected: 1 and 3, which are due, and 4", Numbers(found));
}

void LongestDueFirst(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(3, std::nullopt);
  Relay relay(rig);
  const auto rows = relay.Await(3);
  relay.Fail({rows[2]}, OUTBOX_RETRY, Millis(0));
  relay.Fail({rows[0]}, OUTBOX_RETRY, Millis(20));
  relay.Fail({rows[1]}, OUTBOX_RETRY, Millis(40));
  std::this_thread::sleep_for(Millis(60));
  std::vector<Row> due;
  for (int i = 0; i < 6; ++i)
    for (Row& row : relay.Reserve({.max_events = 1})) due.push_back(std::move(row));
  Expect(Numbers(due) == "3 1 2", "due events came as '{}', expected: 3 1 2, as they fell due", Numbers(due));
}

// Each event that a read returns is recorded as failed and is due at once, so the reads never run out of due events.
void WhatWasPassedOverComes(const Subject& subject) {
  constexpr Relay::Ask kFew{.max_events = 4};
  Rig rig(subject);
  rig.Emit(40, std::nullopt);
  Relay relay(rig);
  relay.Fail(relay.Await(40), OUTBOX_RETRY, Millis(0));
  std::vector<Row> held;
  while (held.empty()) held = relay.Reserve(kFew);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  for (int read = 0;; ++read) {
    Expect(std::chrono::steady_clock::now() < deadline, "event {} is due and was not returned by {} reads",
           held.front().row_id.ToText(), read);
    const auto rows = relay.Reserve(kFew);
    if (read == 10) relay.Forget(held.front());
    if (std::any_of(rows.begin(), rows.end(), [&](const Row& row) { return row.row_id == held.front().row_id; })) break;
    if (!rows.empty()) relay.Fail(rows, OUTBOX_RETRY, Millis(0));
  }
}

}  // namespace

std::vector<Case> RescanCases() {
  return {
      {"rescan", "rescan-finds-what-is-not-outstanding",
       "A rescan returns the rows below the reading position that are not outstanding.", FindsWhatIsNotOutstanding},
      {"rescan", "rescan-goes-in-steps-and-ends", "A step returns at most max_events, and the rescan ends.",
       GoesInStepsAndEnds},
      {"rescan", "rescan-ends-while-rows-keep-coming", "A rescan ends although new rows keep coming.",
       EndsWhileRowsKeepComing},
      {"rescan", "reading-goes-on-beside-a-rescan", "A rescan leaves the reading position where it is.",
       ReadingGoesOnBesideIt},
      {"rescan", "rescan-passes-over-failed-keys", "A failed event and its followers are not returned.",
       PassesOverFailedKeys},
      {"rescan", "due-retries-leave-room-for-new-rows", "Due retries and new rows share a batch.",
       DueRetriesLeaveRoomForNewRows},
      {"rescan", "retries-may-be-left-out", "Reads that skip retries return new rows and lose no retry.",
       RetriesMayBeLeftOut},
      {"rescan", "due-retries-that-were-passed-over-come",
       "Due events are returned although others become due all the time.", WhatWasPassedOverComes},
      {"rescan", "longest-due-first", "Due events are returned in the order in which they became due.",
       LongestDueFirst},
  };
}

}  // namespace outbox::contract
