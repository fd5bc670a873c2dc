// Tests of ReserveNewEvents: limits, order, and outstanding rows.
#include <map>

#include "rig.hpp"

namespace outbox::contract {
namespace {

void EmptyIsNotAnError(const Subject& subject) {
  Rig rig(subject);
  Relay(rig).ExpectNothing("the outbox is empty");
}

void NeverMoreThanAsked(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(10, "k");
  Relay relay(rig);
  std::size_t read = 0;
  for (const std::uint32_t limit : {1U, 3U, 6U}) {
    const auto rows = relay.Reserve({.max_events = limit});
    Expect(rows.size() <= limit, "{} events were returned though {} were asked for", rows.size(), limit);
    Expect(!rows.empty(), "nothing was returned though {} events wait", 10 - read);
    read += rows.size();
  }
}

void MoreIsSetIfALimitCutTheBatch(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(5, "k");
  Relay relay(rig);
  bool more = false;
  Expect(Numbers(relay.Reserve({.max_events = 3}, &more)) == "1 2 3", "the oldest three were not returned");
  Expect(more, "more is 0 though 2 events wait");
  relay.ReadAll();
  relay.Reserve({}, &more);
  Expect(!more, "more is 1 though nothing waits");
}

void AscendingPerKey(const Subject& subject) {
  Rig rig(subject);
  std::vector<Note> notes;
  for (int i = 0; i < 300; ++i) notes.push_back({"key-" + std::to_string(i * 7 % 13)});
  for (std::size_t i = 0; i < notes.size(); i += 60) {
    rig.Emit({notes.begin() + static_cast<std::ptrdiff_t>(i), notes.begin() + static_cast<std::ptrdiff_t>(i + 60)});
  }
  Relay relay(rig);
  std::map<std::string, std::string> last;
  std::size_t read = 0;
  for (bool more = true; more;) {
    for (const Row& row : relay.Reserve({.max_events = 17}, &more)) {
      std::string& before = last[row.key.value_or("")];
      Expect(before < row.event_id, "key {}: {} came after {}", *row.key, row.event_id, before);
      before = row.event_id;
      ++read;
    }
  }
  Expect(read == notes.size(), "{} of {} events were returned", read, notes.size());
}

void AtLeastOneEventBeyondTheByteLimit(const Subject& subject) {
  Rig rig(subject);
  rig.Emit({{"k", std::string(200'000, 'x')}, {"k", std::string(10, 'x')}});
  Relay relay(rig);
  const auto rows = relay.Reserve({.max_bytes = 1'000});
  Expect(Numbers(rows) == "1", "{} was returned, expected: 1, alone", Numbers(rows));
  Expect(rows[0].payload->size() == 200'000, "its payload has {} bytes", rows[0].payload->size());
  Expect(Numbers(relay.Reserve({.max_bytes = 1'000})) == "2", "the event behind it was not returned next");
}

void ByteLimitCutsTheBatch(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(std::vector<Note>(7, Note{"k", std::string(400, 'x')}));
  Relay relay(rig);
  std::size_t read = 0;
  for (bool more = true; more;) {
    const auto rows = relay.Reserve({.max_bytes = 1'000}, &more);
    Expect(rows.size() <= 2, "{} events of 400 bytes were returned though 1000 bytes were asked for", rows.size());
    read += rows.size();
  }
  Expect(read == 7, "{} of 7 events were returned", read);
}

void OutstandingRowsAreSkipped(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(4, "k");
  Relay relay(rig);
  relay.Await(4);
  relay.ExpectNothing("everything is outstanding");
  relay.Reconnect();
  relay.ExpectNothing("everything is outstanding, and the session is a new one");
  rig.Emit(1, "k");
  Expect(Numbers(relay.Await(1)) == "5", "the new event was not returned alone");
}

void OutstandingRowsDoNotUseUpTheLimit(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(20, "k");
  Relay relay(rig);
  relay.Reserve({.max_events = 10});
  relay.Reconnect();
  std::vector<Row> rows;
  bool more = true;
  for (int calls = 0; more && calls < 100; ++calls)
    for (Row& row : relay.Reserve({.max_events = 5, .mode = calls == 0 ? OUTBOX_REWIND : OUTBOX_READ_ON}, &more))
      rows.push_back(std::move(row));
  Expect(Numbers(rows) == "11 12 13 14 15 16 17 18 19 20", "behind 10 outstanding rows came '{}', expected: 11 to 20",
         Numbers(rows));
}

void RewindReturnsWhatIsNotOutstanding(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(6, "k");
  Relay relay(rig);
  const auto rows = relay.Await(6);
  for (std::size_t i = 3; i < 6; ++i) relay.Forget(rows[i]);
  const auto again = relay.ReadAll(/*rewind=*/true);
  Expect(Numbers(again) == "4 5 6", "the rewind returned '{}', expected: 4 5 6, which the relay had forgotten",
         Numbers(again));
  Expect(again[0].row_id == rows[3].row_id, "event 4 was row {} and is row {} now", rows[3].row_id.ToText(),
         again[0].row_id.ToText());
}

void NewSessionBeginsAtTheOldestRow(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(3, "k");
  Relay relay(rig);
  relay.Await(3);
  relay.Forget();
  relay.Reconnect();
  Expect(Numbers(relay.Await(3)) == "1 2 3", "a new session did not return the events again in order");
}

void ReadingGoesOnBehindConfirmedRows(const Subject& subject) {
  Rig rig(subject);
  Relay relay(rig);
  for (int i = 1; i <= 20; ++i) {
    rig.Emit(1, "k");
    const auto rows = relay.Await(1);
    Expect(Numbers(rows) == std::to_string(i), "{} was returned, expected: {}", Numbers(rows), i);
    relay.Confirm(rows);
  }
  relay.ExpectNothing("everything is confirmed");
}

// A plugin may detect late rows by missing ids. This case makes such a plugin find more missing ids than it can list
// one by one, and some missing ids that it has only just added to its list.
void ManyHolesInOneRead(const Subject& subject) {
  Rig rig(subject);
  for (int i = 0; i < 3; ++i) rig.Emit(1000, "k");
  std::vector<Row> kept;
  {
    Relay relay(rig);
    std::vector<Row> gone;
    for (Row& row : relay.ReadAll()) (gone.size() <= kept.size() ? gone : kept).push_back(std::move(row));
    relay.Confirm(gone);
  }
  Relay relay(rig);
  relay.Forget();
  const auto rows = relay.ReadAll();
  Expect(EventIds(rows) == EventIds(kept), "{} events were returned, not the {} that are left", rows.size(),
         kept.size());
}

}  // namespace

std::vector<Case> ReserveCases() {
  return {
      {"reserve", "empty-is-not-an-error", "An empty outbox gives an empty batch.", EmptyIsNotAnError},
      {"reserve", "never-more-than-asked", "A batch holds at most max_events.", NeverMoreThanAsked},
      {"reserve", "more-is-set-if-a-limit-cut-the-batch", "more is 1 exactly if a limit left events out of the batch.",
       MoreIsSetIfALimitCutTheBatch},
      {"reserve", "ascending-per-key", "The events of a key come in the order of their insertion.", AscendingPerKey},
      {"reserve", "at-least-one-event-beyond-the-byte-limit", "An event larger than max_bytes comes alone.",
       AtLeastOneEventBeyondTheByteLimit},
      {"reserve", "byte-limit-cuts-the-batch", "A batch of several events holds at most max_bytes.",
       ByteLimitCutsTheBatch},
      {"reserve", "outstanding-rows-are-skipped",
       "A row for which is_outstanding returns 1 is not returned, whatever the session.", OutstandingRowsAreSkipped},
      {"reserve", "outstanding-rows-do-not-use-up-the-limit", "Outstanding rows do not hide those behind them.",
       OutstandingRowsDoNotUseUpTheLimit},
      {"reserve", "rewind-returns-rows-not-outstanding-again", "A rewind begins at the oldest row.",
       RewindReturnsWhatIsNotOutstanding},
      {"reserve", "new-session-begins-at-the-oldest-row", "A new session reads from the oldest row.",
       NewSessionBeginsAtTheOldestRow},
      {"reserve", "many-holes-in-one-read", "Many missing ids do not change which of the other rows are returned.",
       ManyHolesInOneRead},
      {"reserve", "reading-goes-on-behind-confirmed-rows", "New events are returned although the older ones are gone.",
       ReadingGoesOnBehindConfirmedRows},
  };
}

}  // namespace outbox::contract
