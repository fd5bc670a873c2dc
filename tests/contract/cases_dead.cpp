// Dead letters: given up, kept, and brought back.
#include "rig.hpp"

namespace outbox::contract {
namespace {

// 1 2 3 of key "k", 1 dead, the relay holds nothing.
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
  const auto rows = relay.ReadAll(/*sweep=*/true);
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
    const Row &was = rows[i], &is = dead[i];
    Expect(is.event_id == was.event_id && is.event_type == was.event_type && is.topic == was.topic,
           "event_id, event_type or topic of event {} have changed", was.event_id);
    Expect(is.key == was.key, "the key of event {} has changed", was.event_id);
    Expect(is.payload == was.payload, "the payload of event {} has changed", was.event_id);
    Expect(is.headers == was.headers, "the headers of event {} have changed", was.event_id);
    Expect(is.created_us == was.created_us, "the time of event {} has changed", was.event_id);
    Expect(is.attempts == 2, "event {} says {} attempts, expected: 2", is.event_id, is.attempts);
  }
}

void ListsInPages(const Subject& subject) {
  Rig rig(subject);
  rig.NeedDead();
  Relay relay(rig);
  rig.Emit(7, std::nullopt);
  relay.Fail(relay.Await(7), OUTBOX_DEAD);
  std::vector<Row> all;
  std::string after;
  for (int pages = 0; pages < 10; ++pages) {
    const auto page = rig.ListDead(after, 3);
    if (page.empty()) break;
    after = page.back().row_id;
    all.insert(all.end(), page.begin(), page.end());
  }
  Expect(Numbers(all) == "1 2 3 4 5 6 7", "pages of three listed '{}', expected: 1 to 7", Numbers(all));
}

void RequeueKeepsTheEventId(const Subject& subject) {
  Rig rig(subject);
  rig.NeedDead();
  Relay relay(rig);
  KillTheHead(rig, relay);
  const auto dead = rig.ListDead();
  Expect(rig.Requeue(dead) == 1, "requeue did not tell that one event moved");
  rig.ExpectState(EventId(1), OUTBOX_STATE_WAITING, 0);
  Expect(rig.ListDead().empty(), "the event is still among the dead");
  const auto rows = relay.ReadAll(/*sweep=*/true);
  Expect(Numbers(rows) == "2 3 1", "'{}' was returned, expected: 2 3 1, the requeued one at the end of its key",
         Numbers(rows));
  Expect(rows[2].attempts == 0, "the requeued event says {} attempts", rows[2].attempts);
}

void RequeueIsFoundWithoutASweep(const Subject& subject) {
  Rig rig(subject);
  rig.NeedDead();
  Relay relay(rig);
  rig.Emit(2, "k");
  const auto rows = relay.Await(2);
  relay.Fail({rows[0]}, OUTBOX_DEAD);
  relay.Confirm({rows[1]});
  relay.ExpectNothing("one event is dead and one delivered");
  Expect(rig.Requeue(rig.ListDead()) == 1, "requeue did not tell that one event moved");
  Expect(Numbers(relay.Await(1)) == "1", "the requeued event was not returned");
}

void RequeueTwiceMovesOnce(const Subject& subject) {
  Rig rig(subject);
  rig.NeedDead();
  Relay relay(rig);
  KillTheHead(rig, relay);
  const auto dead = rig.ListDead();
  Expect(rig.Requeue(dead) == 1, "the first requeue did not tell that one event moved");
  Expect(rig.Requeue(dead) == 0, "the second requeue says that something moved");
  const auto rows = relay.ReadAll(/*sweep=*/true);
  Expect(Numbers(rows) == "2 3 1", "'{}' was returned, expected: 2 3 1", Numbers(rows));
}

void DiscardRemoves(const Subject& subject) {
  Rig rig(subject);
  rig.NeedDead();
  Relay relay(rig);
  KillTheHead(rig, relay);
  const auto dead = rig.ListDead();
  Expect(rig.Discard(dead) == 1, "discard did not tell that one event went");
  Expect(rig.Discard(dead) == 0, "the second discard says that something went");
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

}  // namespace

std::vector<Case> DeadCases() {
  return {
      {"dead", "dead-leaves-the-line", "A dead event is not returned and lets its key go on.", DeadLeavesTheLine},
      {"dead", "dead-keeps-everything", "It keeps key, payload, headers, times and attempts.", DeadKeepsEverything},
      {"dead", "lists-in-pages", "list goes on after the last row of the page before.", ListsInPages},
      {"dead", "requeue-keeps-the-event-id", "A requeued event goes to the end of its key under its own event_id.",
       RequeueKeepsTheEventId},
      {"dead", "requeue-is-found-without-a-sweep", "A relay that runs finds it by itself.",
       RequeueIsFoundWithoutASweep},
      {"dead", "requeue-twice-moves-once", "What is not dead any more is passed over.", RequeueTwiceMovesOnce},
      {"dead", "discard-removes", "A discarded event is gone.", DiscardRemoves},
      {"dead", "repeated-death-kills-once", "The same failure again, after a lost reply, makes no second one.",
       RepeatedDeathKillsOnce},
  };
}

}  // namespace outbox::contract
