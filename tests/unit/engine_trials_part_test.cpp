// Tests the class Trials alone: which lanes are suspected and for how long, which events are tried at the same time,
// and resets.
#include "engine/trials.hpp"

#include "engine_script.hpp"

namespace outbox::engine {
namespace {

constexpr std::uint32_t kFirstEpoch = publisher::kTrialEpochs | 1;

// Runs scripts with Trials. Three new events and two that have failed may be tried at a time. A delivery may take 1000
// microseconds, sending stops 10 microseconds before a reservation ends, and a suspicion lasts 100 to 300
// microseconds.
struct TrialScript {
  Settings settings{.window_events = 30,
                    .delivery_timeout = 1000,
                    .lease_margin = 10,
                    .min_backoff = 1,
                    .max_backoff = 3,
                    .min_suspicion = 100,
                    .max_suspicion = 300,
                    .max_trials = 3,
                    .max_retrials = 2};
  Backoff backoff{1};
  EventTable events;
  SendWindow window{settings, events};
  Trials trials{settings, events, window};

  std::string Do(Words& words) {
    const auto event = [&words] { return static_cast<EventIndex>(words.Number()); };
    const auto lane = [&words] { return static_cast<publisher::Lane>(words.Number()); };
    std::string answer;
    if (words.Is("suspect")) {  // Arguments: LANE EPOCH NOW
      const publisher::Lane suspected = lane();
      const auto epoch = static_cast<std::uint32_t>(words.Number());
      trials.Suspect(suspected, epoch, words.Number());
      return "";
    }
    if (words.Is("prolong")) {  // Arguments: LANE NOW
      const publisher::Lane suspected = lane();
      trials.ProlongSuspicion(suspected, words.Number());
      return "";
    }
    if (words.Is("forget-suspicions")) {
      trials.ForgetSuspicions();
      return "";
    }
    if (words.Is("alone")) {  // Arguments: NOW LANE [key N] [failed] [doubtful]
      const Time now = words.Number();
      Event sent;
      sent.lane = lane();
      sent.ordered = words.Is("key");
      if (sent.ordered) sent.key_hash = static_cast<std::uint64_t>(words.Number());
      sent.attempts = words.Is("failed") ? 1 : 0;
      sent.doubtful = words.Is("doubtful");
      return trials.GoesAlone(sent, now) ? "yes" : "no";
    }
    if (words.Is("enqueue")) {  // Arguments: COUNT [key N] [failed] [until N] [flight N]
      const Time count = words.Number();
      Incoming read;
      Reservation reservation;
      read.has_key = words.Is("key");
      if (read.has_key) read.key_hash = static_cast<std::uint64_t>(words.Number());
      read.attempts = words.Is("failed") ? 1 : 0;
      if (words.Is("until")) reservation.until = words.Number();
      const std::uint32_t flight = words.Is("flight") ? static_cast<std::uint32_t>(words.Number()) : 0;
      for (Time n = 0; n < count; ++n) trials.Enqueue(AddEvent(events, {}, read, reservation), flight);
    } else if (words.Is("begin")) {
      std::vector<EventIndex> sent;
      const std::uint32_t begun = trials.Begin(words.Number(), sent);
      CHECK(begun == sent.size());
      answer = "sent" + TextOf(sent) + ", ";
    } else if (words.Is("acknowledged")) {
      const EventIndex e = event();
      answer = "sent at " + Text(trials.SentAt(e)) + ", ";
      trials.Answered(e);
      events.Move(events[e], EventState::kAcknowledged);
    } else if (words.Is("drop-key")) {
      answer = "dropped";
      trials.DropWaitingOfKey(static_cast<std::uint64_t>(words.Number()), [&](EventIndex e) { Drop(e, answer); });
      answer += ", ";
    } else if (words.Is("drop-all")) {
      answer = "dropped";
      trials.DropAllWaiting([&](EventIndex e) { Drop(e, answer); });
      answer += ", ";
    } else if (words.Is("reset")) {
      answer = "epoch " + std::to_string(trials.BeginReset() - kFirstEpoch) + " begins, ";
    } else if (words.Is("reset-done")) {  // Arguments: EPOCH NOW
      const auto epoch = static_cast<std::uint32_t>(words.Number()) + kFirstEpoch;
      std::vector<EventIndex> dropped;
      if (!trials.EndReset(epoch, words.Number(), backoff, dropped)) return "not yet, " + State();
      answer = "unknown" + TextOf(dropped) + ", ";
      for (const EventIndex e : dropped) events.Settle(e);
    } else if (words.Is("reset-due")) {
      return trials.ResetDue(words.Number()) ? "yes" : "no";
    } else if (words.Is("next")) {
      return Text(trials.NextDeadline(words.Number()));
    } else if (words.Is("stream")) {
      // Arguments: LANE [key N]. Sends an event in the main stream, in a flight of its own.
      Incoming read{.lane = lane()};
      read.has_key = words.Is("key");
      if (read.has_key) read.key_hash = static_cast<std::uint64_t>(words.Number());
      const EventIndex e = AddEvent(events, {}, read);
      window.Enqueue(e);
      CHECK(window.SendFirst(events[e], kForever, 0));
      CHECK(window.CloseFlight(0) == 1);
      return "sent " + std::to_string(e);
    } else if (words.Is("stream-acknowledged")) {
      const EventIndex e = event();
      (void)window.Answered(events[e], true, 0);
      events.Move(events[e], EventState::kAcknowledged);
      return "";
    } else if (words.Is("settle")) {
      events.Settle(event());
    } else if (words.Is("try-beside")) {
      AddEvent(events, {EventState::kTried});
    } else if (words.Is("change-key")) {
      Event& changed = events[event()];
      changed.key_hash = static_cast<std::uint64_t>(words.Number());
    } else if (words.Is("fewer-trials")) {
      settings.max_trials = 0;
    } else if (words.Is("fewer-retrials")) {
      settings.max_retrials = 0;
    }
    return answer + State();
  }
  void Drop(EventIndex e, std::string& answer) {
    answer += ' ' + std::to_string(e);
    events.Settle(e);
  }
  [[nodiscard]] std::string State() const {
    std::string text = "tried" + TextOf(trials.Tried());
    CHECK(trials.InFlight() == trials.Tried().size());
    if (trials.Idle()) text += ", idle";
    if (trials.resetting()) text += ", resetting";
    if (!trials.RoomForRetries()) text += ", no room for retries";
    if (trials.OldestSentAt() != kForever) text += ", since " + Text(trials.OldestSentAt());
    if (trials.WaitingUntil() < kForever / 2) text += ", waiting until " + Text(trials.WaitingUntil());
    if (trials.epoch() != kFirstEpoch) text += ", epoch " + std::to_string(trials.epoch() - kFirstEpoch);
    return text;
  }
  [[nodiscard]] std::string Broken() const { return trials.FindBrokenInvariant(); }
};

TEST_CASE("an event is tried alone if it, or another event of its lane or key, may be refused") {
  Play<TrialScript>({
      {"events of their own",
       {{"alone 0 1", "no"}, {"alone 0 1 failed", "yes"}, {"alone 0 1 doubtful", "yes"}, {"alone 0 1 key 5", "no"}}},
      {"a key whose events wait or are tried",
       {{"enqueue 2 key 5", "tried"},
        {"alone 0 1 key 5", "yes"},
        {"alone 0 1 key 6", "no"},
        {"alone 0 1", "no"},
        {"begin 0", "sent 0, tried 0, since 0"},
        {"acknowledged 0", "sent at 0, tried"},
        {"alone 0 1 key 5", "yes"},
        {"begin 0", "sent 1, tried 1, since 0"},
        {"alone 0 1 key 5", "yes"},
        {"acknowledged 1", "sent at 0, tried, idle"},
        {"alone 0 1 key 5", "no"}}},
      {"a key whose hash is that of no key",
       {{"enqueue 1 key 0", "tried"}, {"alone 0 1", "no"}, {"alone 0 1 key 0", "yes"}}},
      {"events without a key", {{"enqueue 1", "tried"}, {"alone 0 1", "no"}, {"alone 0 1 key 0", "no"}}},
      {"a suspected lane, until exactly the end",
       {{"suspect 1 1 1000", ""},
        {"alone 1000 1", "yes"},
        {"alone 1099 1", "yes"},
        {"alone 1100 1", "no"},
        {"alone 1000 2", "no"},
        {"forget-suspicions", ""},
        {"alone 1000 1", "no"}}},
  });
}

TEST_CASE("a repeated suspicion lasts twice as long, up to a limit") {
  CHECK(Settings{}.min_suspicion == kSecond);
  CHECK(Settings{}.max_suspicion == 60 * kSecond);
  Play<TrialScript>({
      {"the same epoch counts once",
       {{"suspect 1 1 0", ""}, {"suspect 1 1 50", ""}, {"alone 99 1", "yes"}, {"alone 100 1", "no"}}},
      {"repeated before the double of its time is over: 100, 200, 300 and no more",
       {{"suspect 1 1 0", ""},
        {"suspect 1 2 199", ""},
        {"alone 398 1", "yes"},
        {"alone 399 1", "no"},
        {"suspect 1 3 598", ""},
        {"alone 897 1", "yes"},
        {"alone 898 1", "no"},
        {"suspect 1 4 900", ""},
        {"alone 1199 1", "yes"},
        {"alone 1200 1", "no"}}},
      {"repeated when the double of its time is over",
       {{"suspect 1 1 0", ""}, {"suspect 1 2 200", ""}, {"alone 299 1", "yes"}, {"alone 300 1", "no"}}},
      {"each lane has its own",
       {{"suspect 1 1 0", ""},
        {"suspect 2 1 50", ""},
        {"alone 120 1", "no"},
        {"alone 149 2", "yes"},
        {"alone 150 2", "no"}}},
      {"a refused trial prolongs it by its time",
       {{"prolong 1 0", ""},
        {"alone 0 1", "no"},
        {"suspect 1 1 0", ""},
        {"prolong 1 70", ""},
        {"alone 169 1", "yes"},
        {"alone 170 1", "no"},
        {"prolong 2 70", ""},
        {"alone 70 2", "no"},
        {"prolong 1 60", ""},
        {"alone 169 1", "yes"}}},
  });
}

TEST_CASE("one event of a key is tried at a time, and of all keys no more than the limit") {
  CHECK(Settings{}.max_trials == 50);
  CHECK(Settings{}.max_retrials == 5);
  CHECK(Settings{.window_events = 100}.max_retried() == 10);
  CHECK(Settings{.window_events = 99}.max_retried() == 9);
  CHECK(Settings{.window_events = 9}.max_retried() == 1);
  Play<TrialScript>({
      {"new events and those that have failed have shares of their own",
       {{"enqueue 3 failed", "tried, no room for retries"},
        {"enqueue 4", "tried, no room for retries"},
        {"begin 7", "sent 3 4 5 0 1, tried 3 4 5 0 1, since 7"},
        {"begin 8", "sent, tried 3 4 5 0 1, since 7"},
        {"acknowledged 3", "sent at 7, tried 1 4 5 0, since 7"},
        {"begin 8", "sent 6, tried 1 4 5 0 6, since 7"},
        {"acknowledged 0", "sent at 7, tried 1 4 5 6, since 7"},
        {"begin 9", "sent 2, tried 1 4 5 6 2, since 7"},
        {"acknowledged 2", "sent at 9, tried 1 4 5 6, since 7"},
        {"acknowledged 1", "sent at 7, tried 6 4 5, since 7"},
        {"acknowledged 4", "sent at 7, tried 6 5, since 7"},
        {"acknowledged 5", "sent at 7, tried 6, since 8"},
        {"acknowledged 6", "sent at 8, tried, idle"}}},
      {"room for events that have failed: a tenth of the window",
       {{"enqueue 2 failed", "tried"},
        {"enqueue 1 failed", "tried, no room for retries"},
        {"begin 0", "sent 0 1, tried 0 1, since 0"}}},
      {"a key's events follow each other in their order, and other keys pass them",
       {{"enqueue 2 key 5", "tried"},
        {"enqueue 1 key 6", "tried"},
        {"enqueue 1 key 5", "tried"},
        {"begin 0", "sent 0 2, tried 0 2, since 0"},
        {"begin 0", "sent, tried 0 2, since 0"},
        {"acknowledged 0", "sent at 0, tried 2, since 0"},
        {"begin 1", "sent 1, tried 2 1, since 0"},
        {"acknowledged 1", "sent at 1, tried 2, since 0"},
        {"begin 2", "sent 3, tried 2 3, since 0"}}},
      {"a key with an event that has failed and a new one",
       {{"enqueue 1 key 5 failed", "tried"},
        {"enqueue 1 key 5", "tried"},
        {"begin 0", "sent 1, tried 1, since 0"},
        {"acknowledged 1", "sent at 0, tried"},
        {"begin 0", "sent 0, tried 0, since 0"}}},
      {"only the first 24 that wait are examined",
       {{"enqueue 24 key 5", "tried"},
        {"enqueue 1 key 6", "tried"},
        {"begin 0", "sent 0, tried 0, since 0"},
        {"begin 0", "sent 24, tried 0 24, since 0"}}},
      {"an event waits for the flights before its own",
       {{"stream 1", "sent 0"},
        {"enqueue 1 flight 0", "tried"},
        {"enqueue 1 flight 1", "tried"},
        {"begin 0", "sent 1, tried 1, since 0"},
        {"stream-acknowledged 0", ""},
        {"begin 0", "sent 2, tried 1 2, since 0"}}},
  });
}

TEST_CASE("waiting events are dropped by their key or all together") {
  Play<TrialScript>({
      {"a key",
       {{"enqueue 2 key 5", "tried"},
        {"enqueue 1 key 6", "tried"},
        {"enqueue 1 key 5 failed", "tried"},
        {"enqueue 1", "tried"},
        {"begin 0", "sent 0 2 4, tried 0 2 4, since 0"},
        {"drop-key 7", "dropped, tried 0 2 4, since 0"},
        {"drop-key 0", "dropped, tried 0 2 4, since 0"},
        {"drop-key 5", "dropped 1 3, tried 0 2 4, since 0"},
        {"alone 0 1 key 5", "yes"},
        {"acknowledged 0", "sent at 0, tried 4 2, since 0"},
        {"alone 0 1 key 5", "no"}}},
      {"a key that is the hash of no key",
       {{"enqueue 1", "tried"}, {"enqueue 1 key 0", "tried"}, {"drop-key 0", "dropped 1, tried"}}},
      {"all",
       {{"enqueue 2 key 5", "tried"},
        {"enqueue 1 failed", "tried"},
        {"begin 0", "sent 0 2, tried 0 2, since 0"},
        {"enqueue 1", "tried 0 2, since 0"},
        {"drop-all", "dropped 1 3, tried 0 2, since 0"}}},
  });
}

TEST_CASE("a trial has a deadline, and a reset ends all trials and brings a pause") {
  Play<TrialScript>({
      {"nothing is tried",
       {{"reset-due 100000", "no"}, {"next 0", "ever"}, {"enqueue 1", "tried"}, {"next 0", "ever"}}},
      {"a delivery",
       {{"enqueue 1", "tried"},
        {"begin 5", "sent 0, tried 0, since 5"},
        {"enqueue 1", "tried 0, since 5"},
        {"begin 6", "sent 1, tried 0 1, since 5"},
        {"next 6", "1005"},
        {"reset-due 1004", "no"},
        {"reset-due 1005", "yes"},
        {"acknowledged 0", "sent at 5, tried 1, since 6"},
        {"reset-due 1005", "no"},
        {"next 7", "1006"}}},
      {"a reservation",
       {{"enqueue 1 until 500", "tried, waiting until 490"},
        {"enqueue 1 failed until 400", "tried, waiting until 390"},
        {"enqueue 1 until 300", "tried, waiting until 390"},
        {"begin 0", "sent 0 2 1, tried 0 2 1, since 0"},
        {"next 0", "290"},
        {"reset-due 289", "no"},
        {"reset-due 290", "yes"}}},
      {"an event that waits while the stream is reset",
       {{"enqueue 1", "tried"}, {"reset", "epoch 1 begins, tried, resetting"}, {"begin 0", "sent, tried, resetting"}}},
      {"resets in a row: pauses that double",
       {{"reset-done 1 0", "not yet, tried, idle"},
        {"enqueue 1 key 5", "tried"},
        {"enqueue 1 failed", "tried"},
        {"begin 0", "sent 0 1, tried 0 1, since 0"},
        {"enqueue 2 key 5", "tried 0 1, since 0"},
        {"reset", "epoch 1 begins, tried 0 1, resetting, since 0"},
        {"next 0", "ever"},
        {"begin 0", "sent, tried 0 1, resetting, since 0"},
        {"reset-done 0 10", "not yet, tried 0 1, resetting, since 0"},
        {"reset-done 2 10", "not yet, tried 0 1, resetting, since 0"},
        {"reset-done 1 10", "unknown 0 1, tried, epoch 1"},
        {"next 10", "11"},
        {"next 11", "ever"},
        {"begin 10", "sent, tried, epoch 1"},
        {"begin 11", "sent 2, tried 2, since 11, epoch 1"},
        {"next 11", "1011"},
        {"reset", "epoch 2 begins, tried 2, resetting, since 11, epoch 1"},
        {"reset-done 2 20", "unknown 2, tried, epoch 2"},
        {"next 20", "22"},
        {"begin 22", "sent 3, tried 3, since 22, epoch 2"},
        {"acknowledged 3", "sent at 22, tried, idle, epoch 2"},
        {"reset", "epoch 3 begins, tried, idle, resetting, epoch 2"},
        {"reset-done 3 30", "unknown, tried, idle, epoch 3"},
        {"next 30", "ever"},
        {"enqueue 1 failed", "tried, epoch 3"},
        {"next 30", "31"},
        {"begin 30", "sent, tried, epoch 3"},
        {"enqueue 2 failed", "tried, no room for retries, epoch 3"},
        {"begin 31", "sent 4 5, tried 4 5, since 31, epoch 3"}}},
  });
}

TEST_CASE("broken trials are found") {
  const std::string tried = "tried 0, since 0 !! trials: ";
  const Line begun{"begin 0", "sent 0, tried 0, since 0"};
  Play<TrialScript>({
      {"an event that waits and is settled",
       {{"enqueue 1", "tried"}, {"settle 0", "tried !! trials: a waiting event is not queued"}}},
      {"an event that is tried and settled",
       {{"enqueue 1", "tried"}, begun, {"settle 0", tried + "an event in the list of tried events is not tried"}}},
      {"two events of a key",
       {{"enqueue 1 key 5", "tried"},
        {"enqueue 1 key 6", "tried"},
        {"begin 0", "sent 0 1, tried 0 1, since 0"},
        {"change-key 1 5", "tried 0 1, since 0 !! trials: two events of a key are tried at the same time"}}},
      {"an event of the key in the main stream",
       {{"enqueue 1 key 5", "tried"},
        begun,
        {"stream 1 key 6", "sent 1"},
        {"stream 2 key 5", "sent 2 !! trials: events of a key are tried and in the main stream at once"}}},
      {"an event that is tried and not listed",
       {{"try-beside", "tried, idle !! trials: events without an answer are miscounted"}}},
      {"too many", {{"enqueue 1", "tried"}, begun, {"fewer-trials", tried + "too many are in flight"}}},
      {"too many that have failed",
       {{"enqueue 1 failed", "tried"}, begun, {"fewer-retrials", tried + "too many are in flight"}}},
      {"a key more", {{"enqueue 2 key 5", "tried"}, {"change-key 1 6", "tried !! trials: keys are miscounted"}}},
      {"another key",
       {{"enqueue 1 key 5", "tried"}, {"change-key 0 6", "tried !! trials: the events of a key are miscounted"}}},
  });
}

}  // namespace
}  // namespace outbox::engine
