// Tests the table of outstanding events: their slots, their batches, and the memory that they occupy.
#include "engine/event_table.hpp"

#include "engine_script.hpp"

namespace outbox::engine {
namespace {

struct TableScript {
  EventTable events;

  std::string Do(Words& words) {
    std::string answer;
    const auto freed = [&answer](BatchIndex b) { answer += " free " + std::to_string(b); };
    const auto event = [&words] { return static_cast<EventIndex>(words.Number()); };
    if (words.Is("read")) {  // Arguments: COUNT [bytes N] [until N] [token N] [new-routes]
      const Time count = words.Number();
      Reservation reservation;
      if (words.Is("bytes")) reservation.arena_bytes = static_cast<std::uint64_t>(words.Number());
      if (words.Is("until")) reservation.until = words.Number();
      if (words.Is("token")) reservation.token = static_cast<std::uint64_t>(words.Number());
      reservation.drain_first = words.Is("new-routes");
      const BatchIndex b = events.AddBatch(reservation, static_cast<std::size_t>(count));
      answer = " batch " + std::to_string(b) + " events";
      for (Time i = 0; i < count; ++i)
        answer += ' ' + std::to_string(events.Add(b, static_cast<std::uint32_t>(i), {}, true));
    } else if (words.Is("make-room")) {
      (void)events.AddBatch({}, static_cast<std::size_t>(words.Number()));
    } else if (words.Is("send")) {
      events.Move(events[event()], EventState::kSent);
    } else if (words.Is("acknowledge")) {
      events.Move(events[event()], EventState::kAcknowledged);
    } else if (words.Is("settle")) {
      for (const Time e : words.Numbers()) events.Settle(static_cast<EventIndex>(e));
    } else if (words.Is("detach")) {
      for (const Time e : words.Numbers()) events.Detach(static_cast<EventIndex>(e));
    } else if (words.Is("free-detached")) {
      answer = TextOf(events.detached());
      events.FreeDetached(freed);
    } else if (words.Is("free-settled")) {
      answer = TextOf(events.settled());
      events.FreeSettled(freed);
    } else if (words.Is("free-empty")) {
      events.FreeEmptyBatches(freed);
    } else if (words.Is("reservation")) {
      const EventIndex e = event();
      return "until " + Text(events.Until(e)) + " token " + std::to_string(events.Token(e)) + " routes " +
             std::to_string(events.BatchOf(events[e]).routes) + " left " +
             std::to_string(events.BatchOf(events[e]).left);
    } else if (words.Is("settle-unlisted")) {
      events.Move(events[event()], EventState::kSettled);
    } else if (words.Is("settle-and-free-unlisted")) {
      Event& freed_event = events[event()];
      events.Move(freed_event, EventState::kSettled);
      events.Move(freed_event, EventState::kFree);
    } else if (words.Is("mark-detached")) {
      events[event()].detached = true;
    }
    return (answer.empty() ? "" : answer.substr(1) + ", ") + std::to_string(events.Outstanding()) + " of " +
           std::to_string(events.slots()) + ", bytes " + std::to_string(events.bytes());
  }
  [[nodiscard]] std::string Broken() const { return events.FindBrokenInvariant(); }
};

TEST_CASE("an event keeps its slot until the end of the turn in which it is settled") {
  Play<TableScript>({
      {"two batches: free slots are used again, and no more new ones are made than are needed",
       {{"read 2 bytes 100", "batch 0 events 0 1, 2 of 2, bytes 100"},
        {"settle 0", "2 of 2, bytes 100"},
        {"read 1 bytes 10", "batch 1 events 2, 3 of 3, bytes 110"},
        {"free-settled", "0, 2 of 3, bytes 110"},
        {"free-settled", "2 of 3, bytes 110"},
        {"read 3 bytes 1", "batch 2 events 3 4 0, 5 of 5, bytes 111"},
        {"settle 1", "5 of 5, bytes 111"},
        {"free-settled", "1 free 0, 4 of 5, bytes 11"},
        {"read 1 bytes 5", "batch 0 events 1, 5 of 5, bytes 16"},
        {"settle 2 0 3 4", "5 of 5, bytes 16"},
        {"free-settled", "2 0 3 4 free 1 free 2, 1 of 5, bytes 5"},
        {"read 0 bytes 7", "batch 2 events, 1 of 5, bytes 12"},
        {"free-empty", "free 2, 1 of 5, bytes 5"},
        {"free-empty", "1 of 5, bytes 5"},
        {"settle 1", "1 of 5, bytes 5"},
        {"free-settled", "1 free 0, 0 of 5, bytes 0"}}},
      {"exactly as many slots as are free",
       {{"read 2", "batch 0 events 0 1, 2 of 2, bytes 0"},
        {"settle 0 1", "2 of 2, bytes 0"},
        {"free-settled", "0 1 free 0, 0 of 2, bytes 0"},
        {"read 2", "batch 0 events 1 0, 2 of 2, bytes 0"}}},
  });
}

TEST_CASE("a batch is free when each of its events is settled or detached") {
  Play<TableScript>({
      {"a detached event frees its batch, and its slot later",
       {{"read 2 bytes 100", "batch 0 events 0 1, 2 of 2, bytes 100"},
        {"detach 0", "2 of 2, bytes 100"},
        {"reservation 0", "until ever token 0 routes 0 left 2"},
        {"free-detached", "0, 2 of 2, bytes 100"},
        {"reservation 1", "until ever token 0 routes 0 left 1"},
        {"detach 1", "2 of 2, bytes 100"},
        {"free-detached", "1 free 0, 2 of 2, bytes 0"},
        {"free-detached", "2 of 2, bytes 0"},
        {"read 1 bytes 50", "batch 0 events 2, 3 of 3, bytes 50"},
        {"settle 0 1", "3 of 3, bytes 50"},
        {"free-settled", "0 1, 1 of 3, bytes 50"},
        {"read 1", "batch 1 events 1, 2 of 3, bytes 50"},
        {"settle 1", "2 of 3, bytes 50"},
        {"free-settled", "1 free 1, 1 of 3, bytes 50"}}},
      {"a slot forgets that its last event was detached",
       {{"read 1 bytes 9", "batch 0 events 0, 1 of 1, bytes 9"},
        {"detach 0", "1 of 1, bytes 9"},
        {"free-detached", "0 free 0, 1 of 1, bytes 0"},
        {"settle 0", "1 of 1, bytes 0"},
        {"free-settled", "0, 0 of 1, bytes 0"},
        {"read 1 bytes 8", "batch 0 events 0, 1 of 1, bytes 8"},
        {"settle 0", "1 of 1, bytes 8"},
        {"free-settled", "0 free 0, 0 of 1, bytes 0"}}},
      {"a reservation",
       {{"read 1 until 70 token 5", "batch 0 events 0, 1 of 1, bytes 0"},
        {"reservation 0", "until 70 token 5 routes 0 left 1"},
        {"read 0 new-routes", "batch 1 events, 1 of 1, bytes 0"},
        {"read 1", "batch 2 events 1, 2 of 2, bytes 0"},
        {"reservation 0", "until 70 token 5 routes 0 left 1"},
        {"reservation 1", "until ever token 0 routes 1 left 1"},
        {"read 1 new-routes", "batch 3 events 2, 3 of 3, bytes 0"},
        {"reservation 2", "until ever token 0 routes 2 left 1"},
        {"free-empty", "free 1, 3 of 3, bytes 0"}}},
  });
}

TEST_CASE("an event gets the values that were read, and its slot keeps nothing of the last event") {
  struct Row {
    Incoming read;
    bool order_keys, ordered;
  };
  const std::vector<Row> rows = {
      {{.key_hash = 5, .has_key = true, .attempts = 3, .lane = 7, .policy = 2, .doubtful = true}, true, true},
      {{.key_hash = 6, .has_key = true, .attempts = 1, .lane = 8, .policy = 1}, false, false},
      {{.key_hash = 7, .has_key = false}, true, false},
      {{}, false, false},
  };
  EventTable events;
  for (const Row& row : rows) {
    const EventIndex e = events.Add(events.AddBatch({}, 1), 4, row.read, row.order_keys);
    CHECK(e == 0);
    Event& event = events[e];
    CHECK(event.state() == EventState::kQueued);
    CHECK(event.key_hash == row.read.key_hash);
    CHECK(event.position == 4);
    CHECK(event.lane == row.read.lane);
    CHECK(event.attempts == row.read.attempts);
    CHECK(event.policy == row.read.policy);
    CHECK(event.doubtful == row.read.doubtful);
    CHECK(event.ordered == row.ordered);
    CHECK(event.flight == 0);
    CHECK_FALSE(event.detached);
    event.flight = 9;
    events.Settle(e);
    events.FreeSettled([](BatchIndex) {});
    CHECK(events.FindBrokenInvariant().empty());
  }
}

// Checks that a move between two states is detected if the state chart has no such transition.
TEST_CASE("an event takes no transition that is not in the chart") {
  constexpr std::size_t kStates = Chart<EventState>::kNames.size();
  for (std::size_t from = 0; from < kStates; ++from) {
    for (std::size_t to = 0; to < kStates; ++to) {
      TransitionCounts<EventState> counts;
      counts.Count(static_cast<EventState>(from), static_cast<EventState>(to));
      bool known = false;
      for (const Transition<EventState>& row : Chart<EventState>::kTransitions)
        known = known || (static_cast<std::size_t>(row.from) == from && static_cast<std::size_t>(row.to) == to);
      CHECK(counts.FindUnknown().empty() == known);
    }
  }
}

TEST_CASE("a broken event table is found") {
  Play<TableScript>({
      {"a transition that is not in the chart",
       {{"read 1", "batch 0 events 0, 1 of 1, bytes 0"},
        {"acknowledge 0", "1 of 1, bytes 0 !! event: queued -> acknowledged is no transition"}}},
      {"room that is not used",
       {{"make-room 1", "0 of 1, bytes 0 !! events: the events that need a batch are miscounted"}}},
      {"a slot that is free and not listed",
       {{"read 2", "batch 0 events 0 1, 2 of 2, bytes 0"},
        {"settle-and-free-unlisted 1", "2 of 2, bytes 0 !! events: a slot is lost or used twice"}}},
      {"a settled event that is not listed",
       {{"read 1", "batch 0 events 0, 1 of 1, bytes 0"},
        {"settle-unlisted 0", "1 of 1, bytes 0 !! events: settled events are not freed at the end of the turn"}}},
      {"a batch that is still counted on",
       {{"read 1", "batch 0 events 0, 1 of 1, bytes 0"},
        {"mark-detached 0", "1 of 1, bytes 0 !! events: the events that need a batch are miscounted"}}},
  });
}

}  // namespace
}  // namespace outbox::engine
