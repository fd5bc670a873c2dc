// Tests of the writers' transactions: which rows a read may return, and when.
#include "rig.hpp"

namespace outbox::contract {
namespace {

constexpr Millis kTimeout{10'000};

// A writer with an open transaction.
struct Writer {
  Writer(Rig& the_rig) : rig(the_rig), session(the_rig.Connect()) { Ok(session->BeginEmit(Within(kTimeout))); }
  void Insert(const Text& key) { Ok(rig.Insert(*session, {Note{key}})); }
  void End(bool commit) { Ok(session->EndEmit(commit, Within(kTimeout))); }
  Rig& rig;
  std::unique_ptr<storage::Session> session;
};

// Emits an event of `key` in a second transaction while another transaction is open. Skips the case if the store allows
// one write transaction at a time.
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
  late.Insert("k");  // This is event 1.
  EmitBeside(rig, "other");
  Expect(Numbers(relay.Await(1)) == "2", "the committed event was not returned while an older one is open");
  late.End(true);
  // Event 3 is inserted after event 1, which has the same key, was committed.
  rig.Emit(1, "k");
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
  late.Insert("k");  // This is event 7. Its id is greater than the ids of all events that were read and confirmed.
  late.End(true);
  rig.Emit(1, "k");
  std::vector<Row> rows;
  for (int i = 0; i < 50 && rows.size() < 3; ++i)
    for (Row& row : relay.Reserve({.max_events = 1})) rows.push_back(std::move(row));
  Expect(Numbers(rows) == "1 7 8", "'{}' was returned one by one, expected: 1 7 8", Numbers(rows));
}

// Reads two events at a time and drops them, as a relay does with events of a key on hold, until an event of `key` is
// returned.
void AwaitBesideDropped(Relay& relay, const std::string& key) {
  constexpr int kMaxReads = 30;
  for (int read = 0; read < kMaxReads; ++read) {
    for (const Row& row : relay.Reserve({.max_events = 2})) {
      if (row.key == key) return;
      relay.Forget(row);
    }
  }
  Expect(false, "{} reads were filled with events that the relay had dropped", kMaxReads);
}

// Skips the case if the store reads from the oldest row each time, because a store that does so returns dropped rows
// with every read.
void NeedPosition(Rig& rig, Relay& relay) {
  rig.Emit(1, std::nullopt);
  const auto rows = relay.Await(1);
  relay.Forget();
  if (!relay.ReadAll().empty()) throw Skipped("the store reads from the oldest row each time");
  relay.Confirm(rows);
}

void DroppedLateRowsFillNoRead(const Subject& subject) {
  Rig rig(subject);
  Relay relay(rig);
  NeedPosition(rig, relay);
  Writer late(rig);
  for (int i = 0; i < 6; ++i) late.Insert("held");
  EmitBeside(rig, "first");
  relay.Await(1);
  late.End(true);
  rig.Emit(1, "other");
  AwaitBesideDropped(relay, "other");
  const auto found = relay.Rescan(2);
  Expect(Numbers(found) == "2 3 4 5 6 7", "the rescan returned '{}', expected: 2 to 7, which were dropped",
         Numbers(found));
}

// A transaction that is older than the dropped rows may still commit rows below them.
void DroppedRowsAboveAnOpenTransactionFillNoRead(const Subject& subject) {
  Rig rig(subject);
  Relay relay(rig);
  NeedPosition(rig, relay);
  Writer open(rig);
  open.Insert("k");
  for (int i = 0; i < 6; ++i) EmitBeside(rig, "held");
  for (const Row& row : relay.Await(6)) relay.Forget(row);
  EmitBeside(rig, "other");
  AwaitBesideDropped(relay, "other");
  open.End(true);
  const auto late = relay.Await(1);
  Expect(Numbers(late) == "2", "after the open transaction's commit a read returned '{}', expected: 2", Numbers(late));
  const auto found = relay.Rescan(2);
  Expect(Numbers(found) == "3 4 5 6 7 8", "the rescan returned '{}', expected: 3 to 8, which were dropped",
         Numbers(found));
}

void LateRowsDoNotKeepARescanFromEnding(const Subject& subject) {
  constexpr int kMaxSteps = 30;
  Rig rig(subject);
  Relay relay(rig);
  Writer late(rig);
  for (int i = 0; i < 6; ++i) late.Insert("held");
  for (int i = 0; i < 4; ++i) EmitBeside(rig, "first");
  relay.Await(4);
  relay.Forget();
  std::uint32_t reached = 0;
  relay.RescanStep(reached, 2);
  if (reached != OUTBOX_RESCAN_GOES_ON) throw Skipped("this plugin rewinds instead");
  late.End(true);
  std::vector<Row> found;
  for (int steps = 0; reached == OUTBOX_RESCAN_GOES_ON; ++steps) {
    Expect(steps < kMaxSteps, "the rescan does not end, as late rows come in every step");
    for (Row& row : relay.RescanStep(reached, 2)) {
      relay.Forget(row);
      if (row.key == "held") found.push_back(std::move(row));
    }
  }
  // A store that reads rows in the order of their commits returns the late rows by normal reading.
  if (found.empty()) found = relay.ReadAll();
  Expect(Numbers(found) == "1 2 3 4 5 6", "'{}' of the late events were returned, expected: 1 to 6", Numbers(found));
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
      {"visibility", "uncommitted-is-not-returned", "An event is not returned before its commit.",
       UncommittedIsNotReturned},
      {"visibility", "rolled-back-is-never-returned", "An event that was rolled back is never returned.",
       RolledBackIsNeverReturned},
      {"visibility", "late-commit-is-returned-first",
       "A row that is committed late is returned before later rows of its key.", LateCommitIsReturnedFirst},
      {"visibility", "late-commit-is-returned-first-in-small-steps",
       "A late row is returned first also with batches of one event and confirmed rows in between.",
       LateCommitIsReturnedFirstInSmallSteps},
      {"visibility", "dropped-late-rows-fill-no-read",
       "A late row that the relay drops is returned once, and then again only by a rescan.", DroppedLateRowsFillNoRead},
      {"visibility", "dropped-rows-above-an-open-transaction-fill-no-read",
       "While an older transaction is open, rows that the relay drops do not keep new rows from being returned.",
       DroppedRowsAboveAnOpenTransactionFillNoRead},
      {"visibility", "late-rows-do-not-keep-a-rescan-from-ending",
       "A rescan returns each late row once, however few fit into a step.", LateRowsDoNotKeepARescanFromEnding},
      {"visibility", "late-rollback-stops-nobody", "An id missing after a rollback holds nothing back.",
       LateRollbackStopsNobody},
  };
}

}  // namespace outbox::contract
