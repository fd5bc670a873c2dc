// Tests of ConfirmEvent: a confirmed row is removed for good.
#include "rig.hpp"

namespace outbox::contract {
namespace {

void ConfirmedIsGone(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(3, "k");
  Relay relay(rig);
  relay.Confirm(relay.Await(3));
  relay.ExpectNothing("everything is confirmed");
  rig.ExpectState(EventId(2), OUTBOX_STATE_ABSENT, 0);
}

void IsIdempotent(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(2, "k");
  Relay relay(rig);
  const auto rows = relay.Await(2);
  relay.Confirm(rows);
  relay.Confirm(rows);
  relay.ExpectNothing("everything is confirmed");
}

void UnknownIdIsIgnored(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(3, "k");
  Relay relay(rig);
  const auto rows = relay.Await(3);
  relay.Confirm({rows[0]});
  relay.Confirm({rows[0], rows[1]});
  rig.ExpectState(EventId(2), OUTBOX_STATE_ABSENT, 0);
  rig.ExpectState(EventId(3), OUTBOX_STATE_WAITING, 0);
}

void IdsNeverComeBack(const Subject& subject) {
  Rig rig(subject);
  Relay relay(rig);
  rig.Emit(2, "k");
  const auto before = relay.Await(2);
  relay.Confirm(before);
  rig.Emit(2, "k");
  relay.Confirm(before);  // The call is repeated, as after a lost answer.
  const auto after = relay.Await(2);
  for (const Row& row : after)
    Expect(row.row_id != before[0].row_id && row.row_id != before[1].row_id, "row_id {} was given twice",
           row.row_id.ToText());
}

// After a restored backup or a failover, the database may assign a row id a second time.
void AnotherEventUnderTheIdStays(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(2, "k");
  Relay relay(rig);
  const auto rows = relay.Await(2);
  std::vector<Row> others = rows;
  others[0].event_id = EventId(9);
  relay.Confirm(others);
  rig.ExpectState(EventId(1), OUTBOX_STATE_WAITING, 0);
  rig.ExpectState(EventId(2), OUTBOX_STATE_ABSENT, 0);
  relay.Fail({others[0]}, OUTBOX_RETRY);
  rig.ExpectState(EventId(1), OUTBOX_STATE_WAITING, 0);
  if (rig.store().Can(OUTBOX_CAN_DEAD_LETTER)) {
    relay.Fail({others[0]}, OUTBOX_DEAD);
    rig.ExpectState(EventId(1), OUTBOX_STATE_WAITING, 0);
  }
  // Confirming the other event must not remove the failure that is recorded for event 1.
  relay.Fail({rows[0]}, OUTBOX_BLOCK);
  relay.Confirm({others[0]});
  rig.ExpectState(EventId(1), OUTBOX_STATE_BLOCKED, 1);
}

void ConfirmOfAPartLeavesTheRest(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(4, "k");
  Relay relay(rig);
  const auto rows = relay.Await(4);
  relay.Confirm({rows[0], rows[2]});
  relay.Forget();
  Expect(Numbers(relay.ReadAll(/*rewind=*/true)) == "2 4", "the others were not returned again");
}

void AnotherSessionMayConfirm(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(3, "k");
  Relay relay(rig);
  const auto rows = relay.Await(3);
  std::vector<std::uint8_t> kept;
  Ok(rig.session().ConfirmEvent(Relay::Named(rows), kept, Within(Millis(10'000))));
  relay.Forget();
  relay.ExpectNothing("everything was confirmed on another session");
}

void TenThousandAtOnce(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(10'000, "k");
  Relay relay(rig);
  std::vector<Row> rows = relay.ReadAll();
  Expect(rows.size() == 10'000, "{} of 10000 events were returned", rows.size());
  relay.Confirm(rows);
  relay.Forget();
  relay.ExpectNothing("all ten thousand are confirmed");
}

void NothingAtOnce(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(1, "k");
  Relay relay(rig);
  relay.Confirm({});
  relay.Fail({});
  rig.ExpectState(EventId(1), OUTBOX_STATE_WAITING, 0);
}

}  // namespace

std::vector<Case> ConfirmCases() {
  return {
      {"confirm", "confirmed-is-gone", "A confirmed event is never returned again.", ConfirmedIsGone},
      {"confirm", "is-idempotent", "A repeated confirm changes nothing.", IsIdempotent},
      {"confirm", "unknown-id-is-ignored", "Ids that are not there do not keep the others from being confirmed.",
       UnknownIdIsIgnored},
      {"confirm", "ids-never-come-back", "A row_id is not given again, or a repeated confirm would lose an event.",
       IdsNeverComeBack},
      {"confirm", "another-event-under-the-id-stays", "confirm removes a row only if its event id matches, too.",
       AnotherEventUnderTheIdStays},
      {"confirm", "confirm-of-a-part-leaves-the-rest", "confirm removes only the events that it names.",
       ConfirmOfAPartLeavesTheRest},
      {"confirm", "another-session-may-confirm", "Reading and confirming are done on two sessions.",
       AnotherSessionMayConfirm},
      {"confirm", "ten-thousand-at-once", "One call may name ten thousand events.", TenThousandAtOnce},
      {"confirm", "nothing-at-once", "confirm accepts a call that names no event.", NothingAtOnce},
  };
}

}  // namespace outbox::contract
