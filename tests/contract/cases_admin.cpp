// Tests of the extension outbox.admin/1: an operator lists, retries, requeues and discards failed events.
#include <thread>

#include "rig.hpp"

namespace outbox::contract {
namespace {

using storage::Change;

// Emits the events 1, 2 and 3 of key "k". Afterwards event 1 is a dead letter, and no row is outstanding.
void KillTheHead(Rig& rig, Relay& relay) {
  rig.Emit(3, "k");
  relay.Fail({relay.Await(3)[0]}, OUTBOX_DEAD);
  relay.Forget();
}

void DeadLeavesTheLine(const Subject& subject) {
  Rig rig(subject);
  rig.NeedDead();
  Relay relay(rig);
  KillTheHead(rig, relay);
  rig.ExpectState(EventId(1), OUTBOX_STATE_DEAD, 1);
  const auto rows = relay.ReadAll(/*rewind=*/true);
  Expect(Numbers(rows) == "2 3", "'{}' was returned, expected: 2 3, its followers", Numbers(rows));
  rig.MakeRetriesDue();
  relay.ExpectNothing("a dead event is never due");
}

void DeadKeepsEverything(const Subject& subject) {
  Rig rig(subject);
  rig.NeedDead();
  Relay relay(rig);
  rig.Emit({{"ключ", "", R"({"a":"b"})", {}, "order.created", "sales"}, {{}, {}}});
  const auto rows = relay.Await(2);
  relay.Fail(rows, OUTBOX_RETRY, Millis(0));
  relay.Fail(rows, OUTBOX_DEAD);
  const auto dead = rig.ListDead();
  Expect(dead.size() == 2, "{} dead events are listed, expected: 2", dead.size());
  for (std::size_t i = 0; i < 2; ++i) {
    const Row& was = rows[i];
    const Seen& is = dead[i];
    Expect(is.event_id == was.event_id && is.event_type == was.event_type && is.topic == was.topic,
           "event_id, event_type or topic of event {} have changed", was.event_id);
    Expect(is.key == was.key, "the key of event {} has changed", was.event_id);
    Expect(is.payload == was.payload, "the payload of event {} has changed", was.event_id);
    Expect(is.headers == was.headers, "the headers of event {} have changed", was.event_id);
    Expect(is.created_us == was.created_us, "the time of event {} has changed", was.event_id);
    Expect(is.attempts == 2, "event {} has {} attempts, expected: 2", is.event_id, is.attempts);
  }
}

void ListsInPages(const Subject& subject) {
  Rig rig(subject);
  rig.NeedDead();
  Relay relay(rig);
  rig.Emit(7, std::nullopt);
  relay.Fail(relay.Await(7), OUTBOX_DEAD);
  std::vector<Seen> all;
  std::optional<storage::OwnedRowId> after;
  for (int pages = 0; pages < 10; ++pages) {
    const auto page = rig.List({.from = OUTBOX_FROM_DEAD, .after = after, .max = 3, .contents = false});
    if (page.empty()) break;
    all.insert(all.end(), page.begin(), page.end());
    after = all.back().row_id;
  }
  Expect(Numbers(all) == "1 2 3 4 5 6 7", "pages of three listed '{}', expected: 1 to 7", Numbers(all));
}

void RequeueKeepsTheEventId(const Subject& subject) {
  Rig rig(subject);
  rig.NeedDead();
  Relay relay(rig);
  KillTheHead(rig, relay);
  const auto dead = rig.ListDead();
  Expect(rig.Apply(Change::kRequeue, dead) == 1, "requeue did not report that one event was moved");
  rig.ExpectState(EventId(1), OUTBOX_STATE_WAITING, 0);
  Expect(rig.ListDead().empty(), "the event is still among the dead");
  const auto rows = relay.ReadAll(/*rewind=*/true);
  Expect(Numbers(rows) == "2 3 1", "'{}' was returned, expected: 2 3 1, the requeued one at the end of its key",
         Numbers(rows));
  Expect(rows[2].attempts == 0, "the requeued event has {} attempts", rows[2].attempts);
}

void RequeueIsFoundWithoutARewind(const Subject& subject) {
  Rig rig(subject);
  rig.NeedDead();
  Relay relay(rig);
  rig.Emit(2, "k");
  const auto rows = relay.Await(2);
  relay.Fail({rows[0]}, OUTBOX_DEAD);
  relay.Confirm({rows[1]});
  relay.ExpectNothing("one event is dead and one delivered");
  Expect(rig.Apply(Change::kRequeue, rig.ListDead()) == 1, "requeue did not report that one event was moved");
  Expect(Numbers(relay.Await(1)) == "1", "the requeued event was not returned");
}

void RequeueTwiceMovesOnce(const Subject& subject) {
  Rig rig(subject);
  rig.NeedDead();
  Relay relay(rig);
  KillTheHead(rig, relay);
  const auto dead = rig.ListDead();
  Expect(rig.Apply(Change::kRequeue, dead) == 1, "the first requeue did not report that one event was moved");
  Expect(rig.Apply(Change::kRequeue, dead) == 0, "the second requeue reports that an event was moved");
  const auto rows = relay.ReadAll(/*rewind=*/true);
  Expect(Numbers(rows) == "2 3 1", "'{}' was returned, expected: 2 3 1", Numbers(rows));
}

void DiscardRemoves(const Subject& subject) {
  Rig rig(subject);
  rig.NeedDead();
  Relay relay(rig);
  KillTheHead(rig, relay);
  const auto dead = rig.ListDead();
  Expect(rig.Apply(Change::kDiscard, dead) == 1, "discard did not report that one event was removed");
  Expect(rig.Apply(Change::kDiscard, dead) == 0, "the second discard reports that an event was removed");
  rig.ExpectState(EventId(1), OUTBOX_STATE_ABSENT, 0);
}

void RepeatedDeathKillsOnce(const Subject& subject) {
  Rig rig(subject);
  rig.NeedDead();
  Relay relay(rig);
  rig.Emit(1, "k");
  const auto rows = relay.Await(1);
  relay.Fail(rows, OUTBOX_DEAD);
  relay.Fail(rows, OUTBOX_DEAD);
  Expect(rig.ListDead().size() == 1, "{} dead events are listed, expected: 1", rig.ListDead().size());
}

// Returns the events with the key `key` in the list `from`, which is one of OUTBOX_FROM_..., as outbox.admin/1 reports
// them.
std::vector<Seen> OfKey(Rig& rig, std::uint32_t from, std::string_view key) {
  return rig.List({.from = from, .key = key, .max = 1000});
}

void ListSaysWhy(const Subject& subject) {
  Rig rig(subject);
  rig.NeedListing();
  Relay relay(rig);
  rig.Emit({{"retried"}, {"blocked"}, {"fresh"}});
  const auto rows = relay.Await(3);
  relay.Fail({rows[0]}, OUTBOX_RETRY, std::chrono::hours(1));
  relay.Fail({rows[1]}, OUTBOX_RETRY, Millis(0));
  relay.Fail({rows[1]}, OUTBOX_BLOCK);
  const auto all = rig.List({.from = OUTBOX_FROM_OUTBOX, .max = 1000});
  Expect(Numbers(all) == "1 2 3", "the outbox lists '{}', expected: 1 2 3", Numbers(all));
  const auto failed = rig.List({.from = OUTBOX_FROM_FAILED, .max = 1000});
  Expect(Numbers(failed) == "1 2", "'{}' are listed as failed, expected: 1 2", Numbers(failed));
  for (const auto* list : {&all, &failed}) {
    const Seen &retried = (*list)[0], &blocked = (*list)[1];
    Expect(retried.state == OUTBOX_STATE_RETRYING && blocked.state == OUTBOX_STATE_BLOCKED,
           "the states are {} and {}, expected: retrying and blocked", retried.state, blocked.state);
    Expect(retried.attempts == 1 && blocked.attempts == 2, "attempts are {} and {}, expected: 1 and 2",
           retried.attempts, blocked.attempts);
    const auto left = retried.next_try_us - retried.now_us;
    Expect(left > 3'500'000'000 && left <= 3'600'000'000, "the next try is {} us from now, expected: an hour", left);
    Expect(blocked.next_try_us == 0, "a blocked event has a next try");
    for (const Seen* one : {&retried, &blocked}) {
      Expect(
          one->first_failed_us > 0 && one->first_failed_us <= one->last_failed_us && one->last_failed_us <= one->now_us,
          "first failed at {}, last at {}, now is {}", one->first_failed_us, one->last_failed_us, one->now_us);
      Expect(one->reason == "too_large", "the reason is '{}', expected: too_large", one->reason.value_or("absent"));
      Expect(one->error && !one->error->empty(), "the text of the failure is lost");
    }
  }
  const Seen& fresh = all[2];
  Expect(fresh.state == OUTBOX_STATE_WAITING && fresh.attempts == 0 && fresh.first_failed_us == 0 && !fresh.reason,
         "an event that has not failed has a failure");
}

void DeadSaysWhy(const Subject& subject) {
  Rig rig(subject);
  rig.NeedDead();
  Relay relay(rig);
  rig.Emit(1, "k");
  const auto rows = relay.Await(1);
  relay.Fail(rows, OUTBOX_RETRY, Millis(0));
  relay.Fail(rows, OUTBOX_DEAD);
  const auto dead = rig.ListDead();
  Expect(dead.size() == 1 && dead[0].state == OUTBOX_STATE_DEAD, "the dead event is not listed as dead");
  Expect(dead[0].first_failed_us > 0 && dead[0].first_failed_us <= dead[0].last_failed_us &&
             dead[0].last_failed_us <= dead[0].now_us,
         "first failed at {}, died at {}, now is {}", dead[0].first_failed_us, dead[0].last_failed_us, dead[0].now_us);
  Expect(dead[0].reason == "too_large" && dead[0].error, "reason or text of the last failure is lost");
}

void ListFinds(const Subject& subject) {
  Rig rig(subject);
  rig.NeedListing();
  rig.Emit({{"k"}, {"K"}, {"k "}, {""}, {std::nullopt}, {"k"}, {"k"}});
  const auto numbers = [&](const Query& query) { return Numbers(rig.List(query)); };
  const auto expect = [](const std::string& seen, const char* expected, const char* of) {
    Expect(seen == expected, "'{}' is listed of {}, expected: {}", seen, of, expected);
  };
  expect(numbers({.key = "k", .max = 9}), "1 6 7", "the key k");
  expect(numbers({.key = "K", .max = 9}), "2", "the key K");
  expect(numbers({.key = "k ", .max = 9}), "3", "the key k with a blank");
  expect(numbers({.key = "", .max = 9}), "4", "the empty key");
  expect(numbers({.event_id = EventId(5), .max = 9}), "5", "one event id");
  expect(numbers({.event_id = "no such id", .max = 9}), "", "an id that does not exist");
  expect(numbers({.key = "k", .max = 2}), "1 6", "two of the key k");
  const auto all = rig.List({.max = 9});
  expect(numbers({.after = all[1].row_id, .before = all[4].row_id, .max = 9}), "3 4", "what lies between 2 and 5");
  expect(numbers({.after = all[0].row_id, .key = "k", .max = 1}), "6", "the key k after 1");
  expect(numbers({.from = OUTBOX_FROM_FAILED, .max = 9}), "", "the failed ones");
  expect(numbers({.from = OUTBOX_FROM_DEAD, .max = 9}), "", "the dead ones");
}

void ListWithoutContents(const Subject& subject) {
  Rig rig(subject);
  rig.NeedListing();
  const std::string payload = "письмо";
  rig.Emit({{"k", payload, R"({"a":"b"})"}, {"k", ""}, {"k", std::nullopt}});
  const auto without = rig.List({.max = 9});
  const auto with = rig.List({.max = 9, .contents = true});
  Expect(without.size() == 3 && with.size() == 3, "not all events are listed");
  const std::int64_t sizes[] = {static_cast<std::int64_t>(payload.size()), 0, -1};
  for (std::size_t i = 0; i < 3; ++i) {
    Expect(!without[i].payload && !without[i].headers, "payload or headers were returned without being requested");
    Expect(without[i].payload_size == sizes[i], "the payload's size is {}, expected: {}", without[i].payload_size,
           sizes[i]);
  }
  Expect(with[0].payload == payload && with[1].payload == "" && !with[2].payload, "the payloads have changed");
  Expect(with[0].headers && !with[1].headers, "the headers have changed");
}

void RetryNowIsFoundWithoutARewind(const Subject& subject) {
  Rig rig(subject);
  rig.NeedListing();
  Relay relay(rig);
  rig.Emit(3, "k");
  const auto rows = relay.Await(3);
  for (int i = 0; i < 4; ++i) relay.Fail({rows[0]}, OUTBOX_RETRY, Millis(0));
  relay.Fail({rows[0]}, OUTBOX_BLOCK);
  relay.Forget();
  relay.ExpectNothing("the key is blocked");
  const auto failed = OfKey(rig, OUTBOX_FROM_FAILED, "k");
  Expect(rig.Apply(Change::kRetryNow, failed) == 1, "retry_now did not report that one event was changed");
  const auto again = relay.Await(1);
  Expect(Numbers(again) == "1", "'{}' was returned, expected: 1, its followers wait", Numbers(again));
  Expect(again[0].attempts == 1, "the event has {} attempts, expected: 1", again[0].attempts);
  relay.Confirm(again);
  const auto rest = relay.ReadAll(/*rewind=*/true);
  Expect(Numbers(rest) == "2 3", "'{}' was returned, expected: 2 3", Numbers(rest));
}

void RetryNowIsForFailedOnes(const Subject& subject) {
  Rig rig(subject);
  rig.NeedListing();
  Relay relay(rig);
  rig.Emit(2, "k");
  const auto rows = relay.Await(2);
  Expect(rig.Apply(Change::kRetryNow, rows) == 0, "events that have not failed were changed");
  relay.Fail({rows[0]}, OUTBOX_RETRY, std::chrono::hours(1));
  relay.Forget(rows[0]);
  Expect(rig.Apply(Change::kRetryNow, rows) == 1, "not exactly the retrying event was changed");
  Expect(Numbers(relay.Await(1)) == "1", "the retrying event was not returned at once");
  relay.Confirm(rows);
  Expect(rig.Apply(Change::kRetryNow, rows) == 0, "events that are gone were changed");
}

void DiscardBlockedFreesTheKey(const Subject& subject) {
  Rig rig(subject);
  rig.NeedListing();
  Relay relay(rig);
  rig.Emit(3, "k");
  const auto rows = relay.Await(3);
  relay.Fail({rows[0]}, OUTBOX_BLOCK);
  relay.Forget();
  Expect(rig.Apply(Change::kDiscardBlocked, rows) == 1, "not exactly the blocked event was removed");
  Expect(rig.Apply(Change::kDiscardBlocked, rows) == 0, "the second call reports that an event was removed");
  rig.ExpectState(EventId(1), OUTBOX_STATE_ABSENT, 0);
  const auto rest = relay.ReadAll(/*rewind=*/true);
  Expect(Numbers(rest) == "2 3", "'{}' was returned, expected: 2 3", Numbers(rest));
}

void DiscardBlockedLeavesOthers(const Subject& subject) {
  Rig rig(subject);
  rig.NeedListing();
  Relay relay(rig);
  rig.Emit(2, std::nullopt);
  const auto rows = relay.Await(2);
  relay.Fail({rows[0]}, OUTBOX_RETRY, std::chrono::hours(1));
  relay.Fail({rows[1]}, OUTBOX_BLOCK);
  Expect(rig.Apply(Change::kRetryNow, std::vector{rows[1]}) == 1, "the blocked event was not made due");
  Expect(rig.Apply(Change::kDiscardBlocked, rows) == 0, "an event that is not blocked was discarded");
  Expect(rig.Apply(Change::kDiscard, rows) == 0, "an event that is not dead was discarded");
  Expect(rig.Apply(Change::kRequeue, rows) == 0, "an event that is not dead was requeued");
  rig.ExpectState(EventId(1), OUTBOX_STATE_RETRYING, 1);
}

void RequeueByTwoMovesOnce(const Subject& subject) {
  constexpr std::size_t kEvents = 200;
  Rig rig(subject);
  rig.NeedDead();
  Relay relay(rig);
  rig.Emit(kEvents, std::nullopt);
  relay.Fail(relay.Await(kEvents), OUTBOX_DEAD);
  relay.Forget();
  const auto dead = rig.ListDead();
  std::vector<std::unique_ptr<storage::Session>> sessions;
  for (int i = 0; i < 2; ++i) sessions.push_back(rig.Connect());
  std::uint64_t moved[2] = {};
  std::string broken[2];
  std::vector<std::thread> people;
  for (std::size_t i = 0; i < 2; ++i)
    people.emplace_back([&, i] {
      try {
        moved[i] = Rig::Apply(*sessions[i], Change::kRequeue, dead);
      } catch (const std::exception& error) {
        broken[i] = error.what();
      }
    });
  for (std::thread& one : people) one.join();
  Expect((broken[0] + broken[1]).empty(), "one of two concurrent requeues was refused: {}{}", broken[0], broken[1]);
  Expect(moved[0] + moved[1] == kEvents, "two concurrent requeues reported {} and {} events, expected: {} in all",
         moved[0], moved[1], kEvents);
  const auto rows = relay.Await(kEvents);
  Expect(rows.size() == kEvents, "{} events were returned, expected: {}", rows.size(), kEvents);
}

}  // namespace

std::vector<Case> AdminCases() {
  return {
      {"admin", "dead-leaves-the-line", "A dead event is not returned and lets its key go on.", DeadLeavesTheLine},
      {"admin", "dead-keeps-everything", "A dead event keeps its key, payload, headers, times and attempts.",
       DeadKeepsEverything},
      {"admin", "lists-in-pages", "list continues after the last row of the previous page.", ListsInPages},
      {"admin", "requeue-keeps-the-event-id", "A requeued event goes to the end of its key under its own event_id.",
       RequeueKeepsTheEventId},
      {"admin", "requeue-is-found-without-a-rewind", "A running relay reads a requeued event without a rewind.",
       RequeueIsFoundWithoutARewind},
      {"admin", "requeue-twice-moves-once", "requeue ignores events that are not dead any more.",
       RequeueTwiceMovesOnce},
      {"admin", "discard-removes", "A discarded event is gone.", DiscardRemoves},
      {"admin", "requeue-by-two-moves-once",
       "Two concurrent requeues of the same events move each event once, and report how many each moved.",
       RequeueByTwoMovesOnce},
      {"admin", "dead-says-why", "A dead event keeps the reason, text and times of its failures.", DeadSaysWhy},
      {"admin", "list-says-why", "Failed events are listed with state, attempts, times, reason and text.", ListSaysWhy},
      {"admin", "list-finds", "list finds by key, byte for byte, by event id and between rows.", ListFinds},
      {"admin", "list-without-contents",
       "list returns payload and headers only on request, and the payload's size always.", ListWithoutContents},
      {"admin", "retry-now-is-found-without-a-rewind",
       "retry_now makes a blocked event due, before the later events of its key.", RetryNowIsFoundWithoutARewind},
      {"admin", "retry-now-is-for-failed-ones", "retry_now ignores events that have not failed.",
       RetryNowIsForFailedOnes},
      {"admin", "discard-blocked-frees-the-key", "A discarded blocked event is gone, and its key goes on.",
       DiscardBlockedFreesTheKey},
      {"admin", "discard-blocked-leaves-others", "discard_blocked keeps events that are not blocked.",
       DiscardBlockedLeavesOthers},
      {"admin", "repeated-death-kills-once",
       "A failure that is recorded again after a lost answer makes no second dead letter.", RepeatedDeathKillsOnce},
  };
}

}  // namespace outbox::contract
