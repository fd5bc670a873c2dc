// Tests which delivered events are confirmed together, when they are confirmed, and how a refused confirm is narrowed
// down.
#include "engine/confirms.hpp"

#include "engine_script.hpp"

namespace outbox::engine {
namespace {

// Runs scripts with Confirms. A batch has 4 events, and acknowledged events are gathered for up to 50 microseconds
// before they are confirmed. Events are numbered in the order of their arrival.
struct ConfirmScript {
  Settings settings{.batch_events = 4, .window_events = 32, .confirm_gather = 50, .min_backoff = 1, .max_backoff = 3};
  Backoff backoff{1};
  EventTable events;
  Confirms confirms{settings};

  std::string Do(Words& words) {
    std::string answer;
    if (words.Is("acknowledged")) {
      const Time now = words.Number();
      for (Time n = words.Number(); n > 0; --n)
        confirms.Add(AddEvent(events, {EventState::kSent, EventState::kAcknowledged}), now);
    } else if (words.Is("take")) {
      const Time now = words.Number();
      if (!confirms.Take(now, words.Is("gather"))) return "nothing, " + State();
      confirms.slot().Begin();
    } else if (words.Is("confirmed")) {
      confirms.slot().End();
      confirms.slot().Succeeds();
      for (const EventIndex e : confirms.confirming()) events.Settle(e);
      confirms.Done();
    } else if (words.Is("failed")) {
      confirms.slot().End();
      confirms.slot().Fails(words.Number(), backoff, settings);
    } else if (words.Is("refused")) {
      confirms.slot().End();
      confirms.slot().Succeeds();
      if (const auto refused = confirms.Narrow()) {
        events.Move(events[*refused], EventState::kFailing);
        answer = "refused " + std::to_string(*refused) + ", ";
      }
    } else if (words.Is("kept")) {
      confirms.NoteKept(words.Number());
      return "removes nothing since " + Text(confirms.RemovesNothingSince());
    } else if (words.Is("removed")) {
      confirms.NoteRemoved();
      return "removes nothing since " + Text(confirms.RemovesNothingSince());
    } else if (words.Is("move-to-failing")) {
      events.Move(events[static_cast<EventIndex>(words.Number())], EventState::kFailing);
    } else if (words.Is("add-again")) {
      confirms.Add(static_cast<EventIndex>(words.Number()), 0);
    } else if (words.Is("acknowledged-unlisted")) {
      AddEvent(events, {EventState::kSent, EventState::kAcknowledged});
    }
    return answer + State();
  }
  [[nodiscard]] std::string State() const {
    return "confirming" + TextOf(confirms.confirming()) + ", next " + Text(confirms.NextCall(false)) + ", gathering " +
           Text(confirms.NextCall(true));
  }
  [[nodiscard]] std::string Broken() const { return confirms.FindBrokenInvariant(events); }
};

TEST_CASE("a confirm is made at once, or gathered while more answers are expected") {
  CHECK(Settings{}.confirm_gather == 5 * kMillisecond);
  Play<ConfirmScript>({
      {"nothing is acknowledged",
       {{"take 0", "nothing, confirming, next ever, gathering ever"},
        {"take 100 gather", "nothing, confirming, next ever, gathering ever"}}},
      {"no answers are to come",
       {{"acknowledged 1000 1", "confirming, next 0, gathering 1050"},
        {"take 1000", "confirming 0, next ever, gathering ever"},
        {"confirmed", "confirming, next ever, gathering ever"}}},
      {"answers are to come: counted from the first event",
       {{"acknowledged 1000 1", "confirming, next 0, gathering 1050"},
        {"acknowledged 1040 1", "confirming, next 0, gathering 1050"},
        {"take 1049 gather", "nothing, confirming, next 0, gathering 1050"},
        {"take 1050 gather", "confirming 0 1, next ever, gathering ever"},
        {"acknowledged 1060 1", "confirming 0 1, next ever, gathering ever"},
        {"confirmed", "confirming, next 0, gathering 1110"}}},
      {"a batch is not gathered",
       {{"acknowledged 1000 3", "confirming, next 0, gathering 1050"},
        {"take 1000 gather", "nothing, confirming, next 0, gathering 1050"},
        {"acknowledged 1001 1", "confirming, next 0, gathering 0"},
        {"take 1001 gather", "confirming 0 1 2 3, next ever, gathering ever"}}},
      {"half of the window is confirmed at a time",
       {{"acknowledged 0 17", "confirming, next 0, gathering 0"},
        {"take 0 gather", "confirming 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15, next ever, gathering ever"},
        {"confirmed", "confirming, next 0, gathering 50"},
        {"take 0", "confirming 16, next ever, gathering ever"}}},
      {"one call is under way at a time",
       {{"acknowledged 0 1", "confirming, next 0, gathering 50"},
        {"take 0", "confirming 0, next ever, gathering ever"},
        {"acknowledged 0 4", "confirming 0, next ever, gathering ever"},
        {"take 1000", "nothing, confirming 0, next ever, gathering ever"}}},
  });
}

TEST_CASE("a confirm that fails is repeated with the same events after a pause") {
  Play<ConfirmScript>({
      {"two failures",
       {{"acknowledged 0 2", "confirming, next 0, gathering 50"},
        {"take 0", "confirming 0 1, next ever, gathering ever"},
        {"acknowledged 5 1", "confirming 0 1, next ever, gathering ever"},
        {"failed 10", "confirming 0 1, next 11, gathering 11"},
        {"take 10", "nothing, confirming 0 1, next 11, gathering 11"},
        {"take 11 gather", "confirming 0 1, next ever, gathering ever"},
        {"failed 20", "confirming 0 1, next 22, gathering 22"},
        {"take 22 gather", "confirming 0 1, next ever, gathering ever"},
        {"confirmed", "confirming, next 22, gathering 55"},
        {"take 54 gather", "nothing, confirming, next 22, gathering 55"},
        {"take 55 gather", "confirming 2, next ever, gathering ever"}}},
      {"a pause that is longer than the gathering",
       {{"acknowledged 0 1", "confirming, next 0, gathering 50"},
        {"take 0", "confirming 0, next ever, gathering ever"},
        {"acknowledged 0 1", "confirming 0, next ever, gathering ever"},
        {"failed 100", "confirming 0, next 101, gathering 101"},
        {"take 101", "confirming 0, next ever, gathering ever"},
        {"confirmed", "confirming, next 101, gathering 101"},
        {"take 100", "nothing, confirming, next 101, gathering 101"}}},
  });
}

TEST_CASE("a refused confirm is narrowed down by halves, the first half first") {
  Play<ConfirmScript>({
      {"one event",
       {{"acknowledged 0 1", "confirming, next 0, gathering 50"},
        {"take 0", "confirming 0, next ever, gathering ever"},
        {"refused", "refused 0, confirming, next ever, gathering ever"}}},
      {"seven events, of which the third and the last are refused",
       {{"acknowledged 0 7", "confirming, next 0, gathering 0"},
        {"take 0", "confirming 0 1 2 3 4 5 6, next ever, gathering ever"},
        {"acknowledged 0 1", "confirming 0 1 2 3 4 5 6, next ever, gathering ever"},
        {"refused", "confirming 0 1 2, next 0, gathering 0"},
        {"take 0 gather", "confirming 0 1 2, next ever, gathering ever"},
        {"refused", "confirming 0, next 0, gathering 0"},
        {"take 0 gather", "confirming 0, next ever, gathering ever"},
        {"confirmed", "confirming, next 0, gathering 0"},
        {"take 0 gather", "confirming 1 2, next ever, gathering ever"},
        {"refused", "confirming 1, next 0, gathering 0"},
        {"take 0 gather", "confirming 1, next ever, gathering ever"},
        {"confirmed", "confirming, next 0, gathering 0"},
        {"take 0 gather", "confirming 2, next ever, gathering ever"},
        {"refused", "refused 2, confirming, next 0, gathering 0"},
        {"take 0 gather", "confirming 3 4 5 6, next ever, gathering ever"},
        {"refused", "confirming 3 4, next 0, gathering 0"},
        {"take 0 gather", "confirming 3 4, next ever, gathering ever"},
        {"confirmed", "confirming, next 0, gathering 0"},
        {"take 0 gather", "confirming 5 6, next ever, gathering ever"},
        {"failed 10", "confirming 5 6, next 11, gathering 11"},
        {"take 11 gather", "confirming 5 6, next ever, gathering ever"},
        {"refused", "confirming 5, next 11, gathering 11"},
        {"take 11 gather", "confirming 5, next ever, gathering ever"},
        {"confirmed", "confirming, next 11, gathering 11"},
        {"take 11 gather", "confirming 6, next ever, gathering ever"},
        {"refused", "refused 6, confirming, next 11, gathering 50"},
        {"take 11", "confirming 7, next ever, gathering ever"}}},
  });
}

TEST_CASE("rows that stay are reported when two in a row stay") {
  Play<ConfirmScript>({
      {"rows that stay, and one that goes",
       {{"kept 10", "removes nothing since ever"},
        {"kept 20", "removes nothing since 10"},
        {"kept 30", "removes nothing since 10"},
        {"removed", "removes nothing since ever"},
        {"kept 40", "removes nothing since ever"},
        {"removed", "removes nothing since ever"},
        {"kept 50", "removes nothing since ever"},
        {"kept 60", "removes nothing since 50"}}},
  });
}

TEST_CASE("a broken confirm is found") {
  const std::string twice = " !! confirms: an event is confirmed twice, or without an acknowledgement";
  Play<ConfirmScript>({
      {"an event that waits twice",
       {{"acknowledged 0 1", "confirming, next 0, gathering 50"},
        {"add-again 0", "confirming, next 0, gathering 50" + twice}}},
      {"an event that waits and is confirmed",
       {{"acknowledged 0 1", "confirming, next 0, gathering 50"},
        {"take 0", "confirming 0, next ever, gathering ever"},
        {"add-again 0", "confirming 0, next ever, gathering ever" + twice}}},
      {"an event that waits and is in a narrowed group",
       {{"acknowledged 0 2", "confirming, next 0, gathering 50"},
        {"take 0", "confirming 0 1, next ever, gathering ever"},
        {"refused", "confirming 0, next 0, gathering 0"},
        {"add-again 1", "confirming 0, next 0, gathering 0" + twice}}},
      {"an event that is confirmed and not acknowledged",
       {{"acknowledged 0 1", "confirming, next 0, gathering 50"},
        {"move-to-failing 0", "confirming, next 0, gathering 50" + twice}}},
      {"an acknowledged event that is not listed",
       {{"acknowledged-unlisted",
         "confirming, next ever, gathering ever !! confirms: an acknowledged event is not confirmed"}}},
  });
}

}  // namespace
}  // namespace outbox::engine
