// Tests the main stream: which lanes are open, which events are in flight, the deadlines and resets of the stream, and
// the answers that the broker owes.
#include "engine/send_window.hpp"

#include "engine_script.hpp"

namespace outbox::engine {
namespace {

// Runs scripts with SendWindow. A delivery may take 1000 microseconds, sending stops 10 microseconds before a
// reservation ends, and a lane counts as idle after 500 microseconds.
struct WindowScript {
  Settings settings{.delivery_timeout = 1000, .lease_margin = 10, .lane_idle = 500, .min_backoff = 1, .max_backoff = 3};
  Backoff backoff{1};
  EventTable events;
  SendWindow window{settings, events};

  std::string Do(Words& words) {
    const auto event = [&words] { return static_cast<EventIndex>(words.Number()); };
    std::string answer;
    if (words.Is("read")) {  // Arguments: LANE... (one for each event) [until N] [new-routes]
      const std::vector<Time> lanes = words.Numbers();
      Reservation reservation;
      if (words.Is("until")) reservation.until = words.Number();
      reservation.drain_first = words.Is("new-routes");
      const BatchIndex b = events.AddBatch(reservation, lanes.size());
      for (const Time lane : lanes)
        window.Enqueue(events.Add(b, 0, {.lane = static_cast<publisher::Lane>(lane)}, true));
    } else if (words.Is("send")) {
      const Time now = words.Number();
      std::vector<EventIndex> sent;
      while (!window.queue().empty()) {
        const EventIndex e = window.queue().front();
        if (!window.SendFirst(events[e], events.Until(e), now)) break;
        sent.push_back(e);
        CHECK(window.NextFlight() == events[e].flight + 1);
      }
      const std::uint32_t count = window.CloseFlight(now);
      CHECK(count == sent.size());
      answer = "sent" + TextOf(sent) + ", ";
    } else if (words.Is("leave-open")) {
      const EventIndex e = window.queue().front();
      CHECK(window.SendFirst(events[e], events.Until(e), words.Number()));
      return "";  // A flight that is still open has no deadline.
    } else if (words.Is("acknowledged")) {
      const EventIndex e = event();
      answer = Answer(e, true, words.Number());
    } else if (words.Is("unknown")) {
      const EventIndex e = event();
      answer = Answer(e, false, words.Number());
    } else if (words.Is("refused")) {
      window.Refused();
    } else if (words.Is("reset")) {
      answer = "epoch " + std::to_string(window.BeginReset(words.Is("outage"))) + " begins, ";
    } else if (words.Is("reset-done")) {
      Time pause = -1;
      if (!window.EndReset(static_cast<std::uint32_t>(words.Number()), backoff, pause)) return "not yet, " + State();
      for (EventIndex e = 0; e < events.slots(); ++e)
        if (events[e].state() == EventState::kSent || events[e].state() == EventState::kUnknown) events.Settle(e);
      answer = "pause " + Text(pause) + ", ";
    } else if (words.Is("owes")) {
      window.Owes(words.Number());
    } else if (words.Is("owes-nothing")) {
      window.OwesNothing();
    } else if (words.Is("drop-lane")) {
      const auto lane = static_cast<publisher::Lane>(words.Number());
      answer = "dropped";
      window.DropQueued([lane](const Event& queued) { return queued.lane == lane; },
                        [&](EventIndex e) {
                          answer += ' ' + std::to_string(e);
                          events.Settle(e);
                        });
      answer += ", ";
    } else if (words.Is("take-first")) {
      const EventIndex e = window.TakeFirst();
      window.EnqueueFirst(e);
      answer = "first " + std::to_string(e) + ", ";
    } else if (words.Is("routes")) {
      window.SetRoutes(static_cast<std::uint16_t>(words.Number()));
    } else if (words.Is("overdue")) {
      return window.DeliveryOverdue(words.Number()) ? "yes" : "no";
    } else if (words.Is("reservation-ends")) {
      return window.ReservationOfFlightEnds(words.Number()) ? "yes" : "no";
    } else if (words.Is("over-before")) {
      return window.AllOverBefore(static_cast<std::uint32_t>(words.Number())) ? "yes" : "no";
    } else if (words.Is("settle")) {
      events.Settle(event());
    } else if (words.Is("send-beside")) {
      events.Move(events[event()], EventState::kSent);
    } else if (words.Is("change-lane")) {
      Event& changed = events[event()];
      changed.lane = static_cast<publisher::Lane>(words.Number());
    }
    return answer + State();
  }
  std::string Answer(EventIndex e, bool acknowledged, Time now) {
    const Time sent = window.Answered(events[e], acknowledged, now);
    events.Move(events[e], acknowledged ? EventState::kAcknowledged : EventState::kUnknown);
    return "sent at " + Text(sent) + ", ";
  }
  [[nodiscard]] std::string State() const {
    return "queue" + TextOf(window.queue()) + ", " + std::to_string(window.in_flight()) + " in flight" +
           (window.FlightsOver() ? ", over" : "") + (window.resetting() ? ", resetting" : "") + ", epoch " +
           std::to_string(window.epoch()) + ", next " + Text(window.NextDeadline()) + ", owed " +
           Text(window.OwedSince());
  }
  [[nodiscard]] std::string Broken() const { return window.FindBrokenInvariant(); }
};

// The deadline of a queued event whose reservation has no end: kForever minus the margin.
const std::string kQueued = Text(kForever - 10);

TEST_CASE("an unproven lane has one event in flight") {
  CHECK(Settings{}.lane_idle == 3600 * kSecond);
  Play<WindowScript>({
      {"two lanes, and a second event of the first",
       {{"read 0 1 0", "queue 0 1 2, 0 in flight, over, epoch 1, next " + kQueued + ", owed ever"},
        {"send 5", "sent 0 1, queue 2, 2 in flight, epoch 1, next 1005, owed 5"},
        {"send 6", "sent, queue 2, 2 in flight, epoch 1, next 1005, owed 5"},
        {"acknowledged 0 7", "sent at 5, queue 2, 1 in flight, epoch 1, next 1005, owed 7"},
        {"read 0 1 0", "queue 2 3 4 5, 1 in flight, epoch 1, next 1005, owed 7"},
        {"send 8", "sent 2 3, queue 4 5, 3 in flight, epoch 1, next 1005, owed 7"},
        {"acknowledged 1 9", "sent at 5, queue 4 5, 2 in flight, epoch 1, next 1008, owed 9"},
        {"send 10", "sent 4 5, queue, 4 in flight, epoch 1, next 1008, owed 9"}}},
      {"an answer without success proves nothing",
       {{"read 0 0 0", "queue 0 1 2, 0 in flight, over, epoch 1, next " + kQueued + ", owed ever"},
        {"send 0", "sent 0, queue 1 2, 1 in flight, epoch 1, next 1000, owed 0"},
        {"unknown 0 1", "sent at 0, queue 1 2, 0 in flight, over, epoch 1, next " + kQueued + ", owed ever"},
        {"send 2", "sent 1, queue 2, 1 in flight, epoch 1, next 1002, owed 2"}}},
      {"a lane that was idle for exactly its time, and for longer",
       {{"read 0 0 0", "queue 0 1 2, 0 in flight, over, epoch 1, next " + kQueued + ", owed ever"},
        {"send 0", "sent 0, queue 1 2, 1 in flight, epoch 1, next 1000, owed 0"},
        {"acknowledged 0 100", "sent at 0, queue 1 2, 0 in flight, over, epoch 1, next " + kQueued + ", owed ever"},
        {"send 600", "sent 1 2, queue, 2 in flight, epoch 1, next 1600, owed 600"},
        {"read 0", "queue 3, 2 in flight, epoch 1, next 1600, owed 600"},
        {"send 601", "sent, queue 3, 2 in flight, epoch 1, next 1600, owed 600"},
        {"acknowledged 1 602", "sent at 600, queue 3, 1 in flight, epoch 1, next 1600, owed 602"},
        {"send 603", "sent 3, queue, 2 in flight, epoch 1, next 1600, owed 602"}}},
      {"an idle lane is proven again by one event",
       {{"read 0 0 0", "queue 0 1 2, 0 in flight, over, epoch 1, next " + kQueued + ", owed ever"},
        {"send 0", "sent 0, queue 1 2, 1 in flight, epoch 1, next 1000, owed 0"},
        {"acknowledged 0 100", "sent at 0, queue 1 2, 0 in flight, over, epoch 1, next " + kQueued + ", owed ever"},
        {"send 601", "sent 1, queue 2, 1 in flight, epoch 1, next 1601, owed 601"}}},
      {"a reset proves nothing",
       {{"read 0 0 0", "queue 0 1 2, 0 in flight, over, epoch 1, next " + kQueued + ", owed ever"},
        {"send 0", "sent 0, queue 1 2, 1 in flight, epoch 1, next 1000, owed 0"},
        {"acknowledged 0 0", "sent at 0, queue 1 2, 0 in flight, over, epoch 1, next " + kQueued + ", owed ever"},
        {"reset", "epoch 2 begins, queue 1 2, 0 in flight, over, resetting, epoch 1, next ever, owed ever"},
        {"reset-done 2", "pause 0, queue 1 2, 0 in flight, over, epoch 2, next " + kQueued + ", owed ever"},
        {"send 1", "sent 1, queue 2, 1 in flight, epoch 2, next 1001, owed 1"}}},
  });
}

TEST_CASE("the oldest flight has the next deadline") {
  CHECK(Settings{}.delivery_timeout == 30 * kSecond);
  CHECK(Settings{}.lease_margin == 2 * kSecond);
  Play<WindowScript>({
      {"nothing is in flight",
       {{"send 0", "sent, queue, 0 in flight, over, epoch 1, next ever, owed ever"},
        {"overdue 100000", "no"},
        {"reservation-ends 100000", "no"},
        {"over-before 0", "yes"}}},
      {"a delivery",
       {{"read 0 1", "queue 0 1, 0 in flight, over, epoch 1, next " + kQueued + ", owed ever"},
        {"send 5", "sent 0 1, queue, 2 in flight, epoch 1, next 1005, owed 5"},
        {"read 2", "queue 2, 2 in flight, epoch 1, next 1005, owed 5"},
        {"send 20", "sent 2, queue, 3 in flight, epoch 1, next 1005, owed 5"},
        {"overdue 1004", "no"},
        {"overdue 1005", "yes"},
        {"over-before 0", "yes"},
        {"over-before 1", "no"},
        {"acknowledged 2 30", "sent at 20, queue, 2 in flight, epoch 1, next 1005, owed 5"},
        {"over-before 2", "no"},
        {"acknowledged 0 40", "sent at 5, queue, 1 in flight, epoch 1, next 1005, owed 40"},
        {"overdue 1005", "yes"},
        {"acknowledged 1 50", "sent at 5, queue, 0 in flight, over, epoch 1, next ever, owed ever"},
        {"over-before 2", "yes"},
        {"over-before 3", "no"}}},
      {"two flights at the same time",
       {{"read 0", "queue 0, 0 in flight, over, epoch 1, next " + kQueued + ", owed ever"},
        {"send 5", "sent 0, queue, 1 in flight, epoch 1, next 1005, owed 5"},
        {"read 1", "queue 1, 1 in flight, epoch 1, next 1005, owed 5"},
        {"send 5", "sent 1, queue, 2 in flight, epoch 1, next 1005, owed 5"}}},
      {"a flight that is over before an older one",
       {{"read 0 1", "queue 0 1, 0 in flight, over, epoch 1, next " + kQueued + ", owed ever"},
        {"send 5", "sent 0 1, queue, 2 in flight, epoch 1, next 1005, owed 5"},
        {"read 2", "queue 2, 2 in flight, epoch 1, next 1005, owed 5"},
        {"send 20", "sent 2, queue, 3 in flight, epoch 1, next 1005, owed 5"},
        {"acknowledged 0 30", "sent at 5, queue, 2 in flight, epoch 1, next 1005, owed 30"},
        {"acknowledged 1 31", "sent at 5, queue, 1 in flight, epoch 1, next 1020, owed 31"},
        {"over-before 1", "yes"},
        {"over-before 2", "no"}}},
      {"reservations: the one of a flight that ends first, and the one of the queue",
       {{"read 0 until 500", "queue 0, 0 in flight, over, epoch 1, next 490, owed ever"},
        {"read 1 until 300", "queue 0 1, 0 in flight, over, epoch 1, next 490, owed ever"},
        {"send 0", "sent 0 1, queue, 2 in flight, epoch 1, next 290, owed 0"},
        {"reservation-ends 289", "no"},
        {"reservation-ends 290", "yes"},
        {"read 1 until 280", "queue 2, 2 in flight, epoch 1, next 270, owed 0"},
        {"reservation-ends 289", "no"}}},
      {"a flight without a reservation that ends",
       {{"read 0 until 500", "queue 0, 0 in flight, over, epoch 1, next 490, owed ever"},
        {"send 0", "sent 0, queue, 1 in flight, epoch 1, next 490, owed 0"},
        {"acknowledged 0 0", "sent at 0, queue, 0 in flight, over, epoch 1, next ever, owed ever"},
        {"read 0", "queue 1, 0 in flight, over, epoch 1, next " + kQueued + ", owed ever"},
        {"send 0", "sent 1, queue, 1 in flight, epoch 1, next 1000, owed 0"}}},
  });
}

TEST_CASE("queued events can be dropped or put back") {
  Play<WindowScript>({
      {"one of two lanes",
       {{"read 0 1 0", "queue 0 1 2, 0 in flight, over, epoch 1, next " + kQueued + ", owed ever"},
        {"drop-lane 0", "dropped 0 2, queue 1, 0 in flight, over, epoch 1, next " + kQueued + ", owed ever"},
        {"read 3", "queue 1 3, 0 in flight, over, epoch 1, next " + kQueued + ", owed ever"},
        {"take-first", "first 1, queue 1 3, 0 in flight, over, epoch 1, next " + kQueued + ", owed ever"}}},
  });
}

TEST_CASE("a reset ends all flights, and an outage brings a pause that doubles") {
  const std::string begun = " begins, queue, 0 in flight, over, resetting, epoch ";
  Play<WindowScript>({
      {"another epoch than the one that begins",
       {{"reset-done 2", "not yet, queue, 0 in flight, over, epoch 1, next ever, owed ever"},
        {"reset", "epoch 2" + begun + "1, next ever, owed ever"},
        {"reset-done 1", "not yet, queue, 0 in flight, over, resetting, epoch 1, next ever, owed ever"},
        {"reset-done 3", "not yet, queue, 0 in flight, over, resetting, epoch 1, next ever, owed ever"},
        {"reset-done 2", "pause 0, queue, 0 in flight, over, epoch 2, next ever, owed ever"},
        {"reset-done 3", "not yet, queue, 0 in flight, over, epoch 2, next ever, owed ever"}}},
      {"outages in a row",
       {{"reset outage", "epoch 2" + begun + "1, next ever, owed ever"},
        {"reset-done 2", "pause 1, queue, 0 in flight, over, epoch 2, next ever, owed ever"},
        {"reset outage", "epoch 3" + begun + "2, next ever, owed ever"},
        {"reset-done 3", "pause 2, queue, 0 in flight, over, epoch 3, next ever, owed ever"},
        {"reset", "epoch 4" + begun + "3, next ever, owed ever"},
        {"reset-done 4", "pause 0, queue, 0 in flight, over, epoch 4, next ever, owed ever"},
        {"reset outage", "epoch 5" + begun + "4, next ever, owed ever"},
        {"reset-done 5", "pause 3, queue, 0 in flight, over, epoch 5, next ever, owed ever"},
        {"reset outage", "epoch 6" + begun + "5, next ever, owed ever"},
        {"refused", "queue, 0 in flight, over, resetting, epoch 5, next ever, owed ever"},
        {"owes 7", "queue, 0 in flight, over, resetting, epoch 5, next ever, owed 7"},
        {"reset-done 6", "pause 0, queue, 0 in flight, over, epoch 6, next ever, owed ever"},
        {"owes 8", "queue, 0 in flight, over, epoch 6, next ever, owed 8"},
        {"reset outage", "epoch 7" + begun + "6, next ever, owed 8"},
        {"reset-done 7", "pause 1, queue, 0 in flight, over, epoch 7, next ever, owed 8"}}},
      {"an acknowledgement after an outage",
       {{"reset outage", "epoch 2" + begun + "1, next ever, owed ever"},
        {"reset-done 2", "pause 1, queue, 0 in flight, over, epoch 2, next ever, owed ever"},
        {"read 0 1", "queue 0 1, 0 in flight, over, epoch 2, next " + kQueued + ", owed ever"},
        {"send 0", "sent 0 1, queue, 2 in flight, epoch 2, next 1000, owed 0"},
        {"acknowledged 0 0", "sent at 0, queue, 1 in flight, epoch 2, next 1000, owed 0"},
        {"unknown 1 0", "sent at 0, queue, 0 in flight, over, epoch 2, next ever, owed ever"},
        {"reset outage", "epoch 3" + begun + "2, next ever, owed ever"},
        {"reset-done 3", "pause 1, queue, 0 in flight, over, epoch 3, next ever, owed ever"}}},
      {"events in flight: they are answered until the reset is done",
       {{"read 0 1 2", "queue 0 1 2, 0 in flight, over, epoch 1, next " + kQueued + ", owed ever"},
        {"send 0", "sent 0 1 2, queue, 3 in flight, epoch 1, next 1000, owed 0"},
        {"reset", "epoch 2 begins, queue, 3 in flight, resetting, epoch 1, next ever, owed 0"},
        {"acknowledged 1 5", "sent at 0, queue, 2 in flight, resetting, epoch 1, next ever, owed 5"},
        {"reset-done 2", "pause 0, queue, 0 in flight, over, epoch 2, next ever, owed ever"},
        {"over-before 1", "yes"},
        {"over-before 2", "no"},
        {"read 0", "queue 3, 0 in flight, over, epoch 2, next " + kQueued + ", owed ever"},
        {"send 6", "sent 3, queue, 1 in flight, epoch 2, next 1006, owed 6"},
        {"acknowledged 3 7", "sent at 6, queue, 0 in flight, over, epoch 2, next ever, owed ever"}}},
  });
}

TEST_CASE("the broker owes an answer until a flight is over without a reset") {
  Play<WindowScript>({
      {"the earliest time counts",
       {{"owes 50", "queue, 0 in flight, over, epoch 1, next ever, owed 50"},
        {"owes 40", "queue, 0 in flight, over, epoch 1, next ever, owed 40"},
        {"owes 60", "queue, 0 in flight, over, epoch 1, next ever, owed 40"},
        {"owes-nothing", "queue, 0 in flight, over, epoch 1, next ever, owed ever"}}},
      {"a flight that is over",
       {{"owes 5", "queue, 0 in flight, over, epoch 1, next ever, owed 5"},
        {"read 0 1", "queue 0 1, 0 in flight, over, epoch 1, next " + kQueued + ", owed 5"},
        {"send 20", "sent 0 1, queue, 2 in flight, epoch 1, next 1020, owed 5"},
        {"acknowledged 0 30", "sent at 20, queue, 1 in flight, epoch 1, next 1020, owed 5"},
        {"acknowledged 1 40", "sent at 20, queue, 0 in flight, over, epoch 1, next ever, owed ever"}}},
      {"a flight that is over during a reset",
       {{"owes 5", "queue, 0 in flight, over, epoch 1, next ever, owed 5"},
        {"read 0", "queue 0, 0 in flight, over, epoch 1, next " + kQueued + ", owed 5"},
        {"send 20", "sent 0, queue, 1 in flight, epoch 1, next 1020, owed 5"},
        {"reset outage", "epoch 2 begins, queue, 1 in flight, resetting, epoch 1, next ever, owed 5"},
        {"acknowledged 0 30", "sent at 20, queue, 0 in flight, over, resetting, epoch 1, next ever, owed 5"}}},
      {"an answer of a later flight says nothing about the first one",
       {{"read 0 1", "queue 0 1, 0 in flight, over, epoch 1, next " + kQueued + ", owed ever"},
        {"send 20", "sent 0 1, queue, 2 in flight, epoch 1, next 1020, owed 20"},
        {"read 2", "queue 2, 2 in flight, epoch 1, next 1020, owed 20"},
        {"send 30", "sent 2, queue, 3 in flight, epoch 1, next 1020, owed 20"},
        {"acknowledged 2 40", "sent at 30, queue, 2 in flight, epoch 1, next 1020, owed 20"}}},
  });
}

TEST_CASE("a broken send window is found") {
  const std::string state = "queue, 0 in flight, over, epoch 1, next ever, owed ever";
  const std::string queued = "queue 0, 0 in flight, over, epoch 1, next " + kQueued + ", owed ever";
  Play<WindowScript>({
      {"an event that is sent and not counted",
       {{"read 0 0", "queue 0 1, 0 in flight, over, epoch 1, next " + kQueued + ", owed ever"},
        {"send 0", "sent 0, queue 1, 1 in flight, epoch 1, next 1000, owed 0"},
        {"send-beside 1",
         "queue 1, 1 in flight, epoch 1, next 1000, owed 0 !! send window: the events in flight of a lane are "
         "miscounted"}}},
      {"a queued event that is settled",
       {{"read 0", queued}, {"settle 0", queued + " !! send window: the queue has an event that is not queued"}}},
      {"a flight that is not closed",
       {{"read 0", queued}, {"leave-open 0", " !! send window: events in flight are miscounted"}}},
      {"a lane that is changed in flight",
       {{"read 0 1", "queue 0 1, 0 in flight, over, epoch 1, next " + kQueued + ", owed ever"},
        {"send 0", "sent 0 1, queue, 2 in flight, epoch 1, next 1000, owed 0"},
        {"change-lane 0 1",
         "queue, 2 in flight, epoch 1, next 1000, owed 0 !! send window: the events in flight of a lane are "
         "miscounted"}}},
      {"flights whose time goes back",
       {{"read 0 1", "queue 0 1, 0 in flight, over, epoch 1, next " + kQueued + ", owed ever"},
        {"send 20", "sent 0 1, queue, 2 in flight, epoch 1, next 1020, owed 20"},
        {"read 2", "queue 2, 2 in flight, epoch 1, next 1020, owed 20"},
        {"send 19",
         "sent 2, queue, 3 in flight, epoch 1, next 1020, owed 20 !! send window: flights are out of order"}}},
      {"two routes",
       {{"read 0", queued},
        {"routes 1", queued},
        {"send 0",
         "sent 0, queue, 1 in flight, epoch 1, next 1000, owed 0 !! send window: events of two routes are in flight"},
        {"routes 0", "queue, 1 in flight, epoch 1, next 1000, owed 0"},
        {"acknowledged 0 0", "sent at 0, " + state},
        {"read 0 new-routes", "queue 1, 0 in flight, over, epoch 1, next " + kQueued + ", owed ever"},
        {"routes 1", "queue 1, 0 in flight, over, epoch 1, next " + kQueued + ", owed ever"},
        {"send 0", "sent 1, queue, 1 in flight, epoch 1, next 1000, owed 0"}}},
  });
}

}  // namespace
}  // namespace outbox::engine
