// Tests of the fence of marked rows: a failure or a release of a row is accepted only with the token that the row
// carries.
#include "two_relays.hpp"

namespace outbox::contract {
namespace {

constexpr Millis kHour = std::chrono::hours(1);

struct Fenced : TwoRelays {
  explicit Fenced(const Subject& subject) : TwoRelays(subject) { rig.Need(OUTBOX_CAN_FENCE); }

  void ExpectRefused(Relay& relay, const std::vector<Row>& rows, const char* why) {
    for (const std::int32_t disposition : {OUTBOX_RETRY, OUTBOX_BLOCK, OUTBOX_DEAD}) {
      const Status status = relay.TryFail(rows, disposition, kHour);
      Expect(status.code() == OUTBOX_LEASE_LOST, "{}, and confirm_failed returned code {}, expected: LEASE_LOST. {}",
             why, status.code(), status.text());
    }
    const Status status = relay.TryRelease(rows);
    Expect(status.code() == OUTBOX_LEASE_LOST, "{}, and release_events returned code {}, expected: LEASE_LOST. {}", why,
           status.code(), status.text());
  }
  // Lets `relay` read its marked rows a second time, expects that no refused call has changed a row, and returns the
  // rows. A failure that was recorded despite the refusal adds an attempt to the row, or hides the row from the read.
  std::vector<Row> ExpectUntouched(Relay& relay, const char* numbers) {
    relay.Forget();
    auto rows = relay.ReadAll();
    Expect(Numbers(rows) == numbers, "refused calls have changed rows: '{}' are given again, expected: {}",
           Numbers(rows), numbers);
    for (const Row& row : rows)
      Expect(row.attempts == 0, "a refused failure counted an attempt of {}", Numbers(std::vector{row}));
    return rows;
  }
};

void StaleMarkChangesNothing(const Subject& subject) {
  Fenced two(subject);
  two.rig.Emit(3, "k");
  const auto rows = two.ReadToEnd(*two.first);
  two.EndMarks();
  const auto taken = two.second->ReadAll();
  Expect(Numbers(taken) == "1 2 3", "'{}' were returned when the marks had ended, expected: 1 2 3", Numbers(taken));
  two.ExpectRefused(*two.first, rows, "another relay has the rows");
  two.first->Forget();
  two.first->ExpectNothing("the second relay has the events");
  two.ExpectUntouched(*two.second, "1 2 3");
  two.first->Confirm({rows[0]});
  two.second->Forget();
  const auto rest = two.second->ReadAll();
  Expect(Numbers(rest) == "2 3", "'{}' were returned after 1 was confirmed under a stale token, expected: 2 3",
         Numbers(rest));
}

void StaleMarkStaysStale(const Subject& subject) {
  Fenced two(subject);
  two.rig.Emit(2, "k");
  const auto rows = two.ReadToEnd(*two.first);
  two.EndMarks();
  const auto taken = two.ReadToEnd(*two.second);
  Expect(Numbers(taken) == "1 2", "'{}' were returned when the marks had ended, expected: 1 2", Numbers(taken));
  two.EndMarks();
  two.ExpectRefused(*two.first, rows, "another relay was given the rows, and its marks have ended");
  const auto again = two.ExpectUntouched(*two.second, "1 2");
  Ok(two.second->TryRelease(again));
  two.ExpectRefused(*two.first, rows, "another relay was given the rows, and has released them");
  two.ExpectUntouched(*two.second, "1 2");
}

void EndedMarkStillCounts(const Subject& subject) {
  Fenced two(subject);
  two.rig.Emit(2, std::nullopt);
  const auto rows = two.ReadToEnd(*two.first);
  two.EndMarks();
  constexpr const char* seen =
      "{} returned code {} under the token of the row. Its mark has ended and nobody else "
      "was given it, so the call counts. {}";
  const Status failed = two.first->TryFail({rows[0]}, OUTBOX_RETRY, kHour);
  Expect(failed.ok(), seen, "confirm_failed", failed.code(), failed.text());
  const Status released = two.first->TryRelease({rows[1]});
  Expect(released.ok(), seen, "release_events", released.code(), released.text());
  const auto free = two.second->ReadAll();
  Expect(Numbers(free) == "2", "'{}' were returned, expected: 2, as 1 has failed", Numbers(free));
}

void RepeatedWriteCounts(const Subject& subject) {
  Fenced two(subject);
  two.rig.Emit(2, std::nullopt);
  const auto rows = two.first->Reserve({});
  constexpr const char* seen =
      "{} returned code {} when it was repeated under the same token, as after a lost answer. {}";
  Ok(two.first->TryFail({rows[0]}, OUTBOX_RETRY, kHour));
  const Status failed = two.first->TryFail({rows[0]}, OUTBOX_RETRY, kHour);
  Expect(failed.ok(), seen, "confirm_failed", failed.code(), failed.text());
  Ok(two.first->TryRelease({rows[1]}));
  const Status released = two.first->TryRelease({rows[1]});
  Expect(released.ok(), seen, "release_events", released.code(), released.text());
}

// The refused call lists the stale row last. The rows before it in the call must not have been changed.
void RefusedWritesChangeNoRow(const Subject& subject) {
  Fenced two(subject);
  two.rig.Emit(3, std::nullopt);
  const auto before = two.ReadToEnd(*two.first);
  two.EndMarks();
  const auto taken = two.second->Reserve({.max_events = 1});
  Expect(Numbers(taken) == "1", "'{}' was returned, expected: 1", Numbers(taken));
  auto rows = two.ExpectUntouched(*two.first, "2 3");
  rows.push_back(before[0]);
  two.ExpectRefused(*two.first, rows, "another relay has 1");
  two.second->ExpectNothing("the first relay has 2 and 3, whose release was refused");
  two.ExpectUntouched(*two.first, "2 3");
}

void EachReserveHasItsToken(const Subject& subject) {
  Fenced two(subject);
  two.rig.Emit(2, std::nullopt);
  const auto lost = two.first->Reserve({.max_events = 1});
  const auto next = two.first->Reserve({.max_events = 1});
  Expect(lost.size() + next.size() == 2 && lost[0].token != next[0].token,
         "two reserves gave rows under one token, {}; each needs its own", lost[0].token);
  two.first->Forget();
  two.first->Reconnect();
  const auto again = two.first->Reserve({});
  Expect(Numbers(again) == "1 2", "'{}' were given again, expected: 1 2", Numbers(again));
  two.ExpectRefused(*two.first, lost, "1 was given again under a new token");
  const Status failed = two.first->TryFail(again, OUTBOX_RETRY, kHour);
  Expect(failed.ok(), "confirm_failed returned code {} under the token under which the rows were given again. {}",
         failed.code(), failed.text());
}

void ReleasePassesOverWhatIsGone(const Subject& subject) {
  TwoRelays two(subject);
  two.rig.Emit(2, std::nullopt);
  const auto rows = two.first->Reserve({});
  two.first->Confirm({rows[0]});
  const Status status = two.first->TryRelease(rows);
  Expect(status.ok(), "release_events returned code {} where one of two rows is gone, expected: OK. {}", status.code(),
         status.text());
  const auto free = two.second->ReadAll();
  Expect(Numbers(free) == "2", "'{}' was returned after the release, expected: 2", Numbers(free));
}

}  // namespace

std::vector<Case> MarksFenceCases() {
  return {
      {"marks", "stale-mark-changes-nothing",
       "confirm_failed and release_events with a stale token return LEASE_LOST; confirm works.",
       StaleMarkChangesNothing},
      {"marks", "stale-mark-stays-stale", "A token stays stale, also after the mark that replaced it has ended.",
       StaleMarkStaysStale},
      {"marks", "ended-mark-still-counts", "A token does not become stale when its mark ends.", EndedMarkStillCounts},
      {"marks", "repeated-write-counts",
       "confirm_failed and release_events keep the token, so that the call can be repeated.", RepeatedWriteCounts},
      {"marks", "refused-writes-change-no-row",
       "If one row's token is stale, the whole call is refused and changes nothing.", RefusedWritesChangeNoRow},
      {"marks", "each-reserve-has-its-token",
       "Each reserve has a token of its own, and rows returned again get the new one.", EachReserveHasItsToken},
      {"marks", "release-passes-over-what-is-gone", "release_events ignores rows that are gone.",
       ReleasePassesOverWhatIsGone},
  };
}

}  // namespace outbox::contract
