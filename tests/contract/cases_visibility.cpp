// Transactions of the writers: what may be seen, and when.
#include "rig.hpp"

namespace outbox::contract {
namespace {

constexpr Millis kTimeout{10'000};

// A writer whose transaction is open.
struct Writer {
  Writer(Rig& the_rig) : rig(the_rig), session(the_rig.Connect()) { Ok(session->BeginEmit(Within(kTimeout))); }
  void Insert(const Text& key) { Ok(rig.Insert(*session, {Note{key}})); }
  void End(bool commit) { Ok(session->EndEmit(commit, Within(kTimeout))); }
  Rig& rig;
  std::unique_ptr<storage::Session> session;
};

// Emits in a second transaction while one is open, where the store can do that.
void EmitBeside(Rig& rig, const Text& key) {
  const auto session = rig.Connect();
  Status status = session->BeginEmit(Within(Millis(300)));
  if (status.ok()) status = rig.Insert(*session, {Note{key}});
  if (status.ok()) status = session->EndEmit(true, Within(Millis(300)));
  if (status.code() == OUTBOX_TIMEOUT || status.code() == OUTBOX_UNAVAILABLE)
    throw Skipped("the store has one write transaction at a time: " + status.text());
  Ok(status);
}

void UncommittedIsNotReturned(const Subject& subject) {
  Rig rig(subject);
  Relay relay(rig);
  Writer writer(rig);
  writer.Insert("k");
  relay.ExpectNothing("the event is not committed");
  writer.End(true);
  Expect(Numbers(relay.Await(1)) == "1", "the event was not returned after the commit");
}

void RolledBackIsNeverReturned(const Subject& subject) {
  Rig rig(subject);
  Relay relay(rig);
  Writer writer(rig);
  writer.Insert("k");
  writer.End(false);
  relay.ExpectNothing("the event was rolled back");
  rig.Emit(1, "k");
  Expect(Numbers(relay.Await(1)) == "2", "the event behind the rolled-back one was not returned");
}

void LateCommitIsReturnedFirst(const Subject& subject) {
  Rig rig(subject);
  Relay relay(rig);
  Writer late(rig);
  late.Insert("k");  // 1
  EmitBeside(rig, "other");
  Expect(Numbers(relay.Await(1)) == "2", "the committed event was not returned while an older one is open");
  late.End(true);
  rig.Emit(1, "k");  // 3 could follow only because 1 is committed
  const auto rows = relay.Await(2);
  Expect(Numbers(rows) == "1 3", "'{}' was returned, expected: 1 3, in the order in which they were committed",
         Numbers(rows));
}

void LateCommitIsReturnedFirstInSmallSteps(const Subject& subject) {
  Rig rig(subject);
  Relay relay(rig);
  Writer late(rig);
  late.Insert("k");
  for (int i = 0; i < 5; ++i) EmitBeside(rig, "other");
  relay.Confirm(relay.Await(5));
  late.Insert("k");  // 7, above what was read and confirmed
  late.End(true);
  rig.Emit(1, "k");
  std::vector<Row> rows;
  for (int i = 0; i < 50 && rows.size() < 3; ++i)
    for (Row& row : relay.Reserve({.max_events = 1})) rows.push_back(std::move(row));
  Expect(Numbers(rows) == "1 7 8", "'{}' was returned one by one, expected: 1 7 8", Numbers(rows));
}

void LateRollbackStopsNobody(const Subject& subject) {
  Rig rig(subject);
  Relay relay(rig);
  Writer late(rig);
  late.Insert("k");
  EmitBeside(rig, "other");
  relay.Await(1);
  late.End(false);
  rig.Emit(1, "k");
  Expect(Numbers(relay.Await(1)) == "3", "the event behind the gap of a rollback was not returned");
}

}  // namespace

std::vector<Case> VisibilityCases() {
  return {
      {"visibility", "uncommitted-is-not-returned", "An event is not seen before its commit.",
       UncommittedIsNotReturned},
      {"visibility", "rolled-back-is-never-returned", "A rolled-back event is never seen.", RolledBackIsNeverReturned},
      {"visibility", "late-commit-is-returned-first",
       "A row that commits late is returned, and before younger ones of its key.", LateCommitIsReturnedFirst},
      {"visibility", "late-commit-is-returned-first-in-small-steps",
       "The same with limits of one event and confirmed rows in between.", LateCommitIsReturnedFirstInSmallSteps},
      {"visibility", "late-rollback-stops-nobody", "A gap that never fills holds nothing back.",
       LateRollbackStopsNobody},
  };
}

}  // namespace outbox::contract
