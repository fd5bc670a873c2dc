// Tests that each invariant check of the engine's parts detects a violation. The public functions cannot break an
// invariant, so the tests write to private fields.
#include "engine/engine.hpp"
#include "engine_script.hpp"

namespace outbox::engine {

// A friend of the engine's parts, through which the tests write to private fields.
struct PartProbe {
  struct Row {
    const char* what;
    void (*set)(PartProbe&);
    const char* broken;
  };

  Settings settings{.max_trials = 1, .max_retrials = 1};
  EventTable events;
  KeyHolds holds;
  ReadScheduler reads{settings, holds};
  SendWindow window{settings, events};
  Trials trials{settings, events, window};
  Confirms confirms{settings};
  FailureRecords records{settings};
  ShardLease lease;
  // Events in different states. `sent`: three events in lane 0, each in a flight of its own; `queued`: waits to be
  // sent; `tried`: a trial whose event has a key; `retried`: a trial of an event that has failed before; `waiting`:
  // waits for its own trial, and has the same key as `tried`; `recorded`: its failure is being recorded; `failed`: its
  // failure is not recorded yet.
  EventIndex sent[3], queued, tried, retried, waiting, acknowledged, recorded, failed;

  PartProbe() {
    acknowledged = Send(1);
    (void)window.Answered(events[acknowledged], true, 1);
    events.Move(events[acknowledged], EventState::kAcknowledged);
    confirms.Add(acknowledged, 1);
    std::vector<EventIndex> begun;
    tried = Try({.key_hash = 5, .has_key = true});
    waiting = Try({.key_hash = 5, .has_key = true});
    retried = Try({.attempts = 1});
    (void)trials.Begin(1, begun);
    for (Time at = 2; EventIndex & e : sent) e = Send(at++);
    queued = AddEvent(events, {});
    window.Enqueue(queued);
    recorded = AddFailed();
    (void)records.Take(1);
    records.slot().Begin();
    failed = AddFailed();
    (void)lease.Hold(7, 100, false);
  }
  EventIndex Send(Time at) {
    const EventIndex e = AddEvent(events, {});
    window.Enqueue(e);
    (void)window.SendFirst(events[e], kForever, at);
    (void)window.CloseFlight(at);
    return e;
  }
  EventIndex Try(const Incoming& event) {
    const EventIndex e = AddEvent(events, {}, event, {.arena_bytes = 10});
    trials.Enqueue(e, window.NextFlight());
    return e;
  }
  EventIndex AddFailed() {
    const EventIndex e = AddEvent(events, {EventState::kFailing});
    records.Add({e, OUTBOX_RETRY, 1, 0, 7});
    return e;
  }
  [[nodiscard]] std::string Broken() const {
    std::string all;
    for (const std::string& broken :
         {events.FindBrokenInvariant(), lease.FindBrokenInvariant(events.Outstanding()), reads.FindBrokenInvariant(),
          window.FindBrokenInvariant(), trials.FindBrokenInvariant(), confirms.FindBrokenInvariant(events),
          records.FindBrokenInvariant(events)})
      if (!broken.empty()) all += (all.empty() ? "" : "; ") + broken;
    return all;
  }
  static std::vector<Row> OfEvents();
  static std::vector<Row> OfReads();
  static std::vector<Row> OfWindow();
  static std::vector<Row> OfTrials();
  static std::vector<Row> OfWrites();
  static std::vector<struct EngineRow> OfEngine();
  static void BeginFirstSteps(Engine& engine, std::uint32_t steps) {
    engine.slow_start_.first_steps_ = true;
    engine.slow_start_.steps_ = steps;
  }
};
using Probe = PartProbe;

std::vector<Probe::Row> Probe::OfEvents() {
  return {
      {"as it should be", [](Probe&) {}, ""},
      {"a byte too many", [](Probe& p) { ++p.events.bytes_; },
       "events: the bytes of the batches in use are miscounted"},
      {"a batch that is not in use", [](Probe& p) { p.events.batches_[p.events[p.tried].batch].in_use = false; },
       "events: the bytes of the batches in use are miscounted"},
      {"a batch waits for one more", [](Probe& p) { ++p.events.batches_[p.events[p.queued].batch].left; },
       "events: the events that need a batch are miscounted"},
      {"a slot that is used is free as well", [](Probe& p) { p.events.free_.push_back(p.queued); },
       "events: a slot is lost or used twice"},
      {"a settled event is not listed",
       [](Probe& p) {
         p.events.settled_.push_back(AddEvent(p.events, {EventState::kSettled})), p.events.settled_.clear();
       },
       "events: settled events are not freed at the end of the turn"},
      {"a second lease", [](Probe& p) { p.lease.next_.until = 1; },
       "shard lease: a second lease waits while one is valid"},
      {"a lease that waits for the end of this one",
       [](Probe& p) { p.lease.next_.until = 1, (void)p.lease.Lose(false); }, ""},
  };
}

std::vector<Probe::Row> Probe::OfReads() {
  static constexpr const char* kWaits = "reading: something waits for a read that is not under way";
  return {
      {"stale, and no read", [](Probe& p) { p.reads.stale_ = true; }, kWaits},
      {"woken, and no read", [](Probe& p) { p.reads.woken_ = true; }, kWaits},
      {"retries are left out, and no read", [](Probe& p) { p.reads.skips_retries_ = true; }, kWaits},
      {"all that during a read",
       [](Probe& p) {
         (void)p.reads.Begin(0, {});
         p.reads.stale_ = p.reads.woken_ = p.reads.skips_retries_ = true;
       },
       ""},
      {"a step of no rescan", [](Probe& p) { p.reads.state_.To(ReadState::kRescanStep), p.reads.must_rewind_ = false; },
       "reading: a rescan step without a rescan"},
      {"a step of a rescan that a rewind will end", [](Probe& p) { p.reads.state_.To(ReadState::kRescanStep); }, ""},
      {"a step of a rescan",
       [](Probe& p) {
         p.reads.state_.To(ReadState::kRescanStep);
         p.reads.must_rewind_ = false;
         p.reads.rescanning_ = true;
       },
       ""},
      {"a rescan between two steps", [](Probe& p) { p.reads.rescanning_ = true, p.reads.must_rewind_ = false; }, ""},
      {"a read that asks for nothing", [](Probe& p) { p.reads.most_rows_ = 0; },
       "reading: 0 rows, or more than a batch, are to be read"},
      {"a read that asks for more than a batch", [](Probe& p) { ++p.reads.most_rows_; },
       "reading: 0 rows, or more than a batch, are to be read"},
      {"a read that becomes a step",
       [](Probe& p) { p.reads.state_.To(ReadState::kReading), p.reads.state_.To(ReadState::kRescanStep); },
       "reading: reading -> rescan step is no transition"},
  };
}

std::vector<Probe::Row> Probe::OfWindow() {
  return {
      {"a lane that is not known", [](Probe& p) { p.events[p.sent[0]].lane = 1; },
       "send window: an event is in flight in an unknown lane"},
      {"another route", [](Probe& p) { p.window.routes_ = 1; }, "send window: events of two routes are in flight"},
      {"a lane counts one too many", [](Probe& p) { ++p.window.lanes_[0].in_flight; },
       "send window: the events in flight of a lane are miscounted"},
      {"a lane is not proven", [](Probe& p) { p.window.lanes_[0].proven = -kForever; },
       "send window: several events are in flight in an unproven lane"},
      {"two events in a lane that is not proven",
       [](Probe& p) {
         p.events.Move(p.events[p.sent[0]], EventState::kUnknown);
         (void)p.window.Answered(p.events[p.sent[0]], false, 5);
         p.window.lanes_[0].proven = -kForever;
       },
       "send window: several events are in flight in an unproven lane"},
      {"another lane counts events that it does not have",
       [](Probe& p) {
         p.window.lanes_.push_back({1, 5, 0});
       },
       "send window: the events in flight of a lane are miscounted"},
      {"the window and a flight count one too many",
       [](Probe& p) { ++p.window.in_flight_, ++p.window.flights_[1].open; },
       "send window: events in flight are miscounted"},
      {"a lane of an earlier epoch",
       [](Probe& p) {
         p.window.lanes_.push_back({0, 5, 0});
       },
       ""},
      {"the window counts one too many", [](Probe& p) { ++p.window.in_flight_; },
       "send window: events in flight are miscounted"},
      {"a flight counts one too many", [](Probe& p) { ++p.window.flights_[1].open; },
       "send window: events in flight are miscounted"},
      {"a flight is being made up", [](Probe& p) { p.window.making_.open = 1; }, "send window: a flight was not sent"},
      {"a flight without a number", [](Probe& p) { ++p.window.first_flight_; }, "send window: flights are misnumbered"},
      {"a flight that was sent earlier than the one before", [](Probe& p) { p.window.flights_[2].at = 2; },
       "send window: flights are out of order"},
      {"flights of the same time", [](Probe& p) { p.window.flights_[2].at = 3; }, ""},
      {"a sent event in the queue", [](Probe& p) { p.window.queue_.push_front(p.sent[0]); },
       "send window: the queue has an event that is not queued"},
  };
}

std::vector<Probe::Row> Probe::OfTrials() {
  static constexpr const char* kMiscounted = "trials: events without an answer are miscounted";
  static constexpr const char* kKeyMiscounted = "trials: the events of a key are miscounted";
  return {
      {"a sent event waits", [](Probe& p) { p.trials.waiting_new_.push_back(p.sent[0]); },
       "trials: a waiting event is not queued"},
      {"a sent event is listed",
       [](Probe& p) {
         p.trials.tried_.push_back({p.sent[0], 0, 0});
       },
       "trials: an event in the list of tried events is not tried"},
      {"a tried event is listed twice",
       [](Probe& p) {
         p.trials.tried_.push_back({p.tried, 0, 0});
       },
       "trials: two events of a key are tried at the same time"},
      {"a tried event is not listed", [](Probe& p) { (void)AddEvent(p.events, {EventState::kTried}); }, kMiscounted},
      {"one retrial too few", [](Probe& p) { p.trials.retrials_ = 0; }, kMiscounted},
      {"no trial is allowed", [](Probe& p) { p.settings.max_trials = 0; }, "trials: too many are in flight"},
      {"no retrial is allowed", [](Probe& p) { p.settings.max_retrials = 0; }, "trials: too many are in flight"},
      {"a key without events", [](Probe& p) { p.trials.keys_[6] = {}; }, "trials: keys are miscounted"},
      {"another key",
       [](Probe& p) {
         p.trials.keys_[6] = p.trials.keys_[5];
         p.trials.keys_.erase(5);
       },
       kKeyMiscounted},
      {"a key counts one too many", [](Probe& p) { ++p.trials.keys_[5].events; }, kKeyMiscounted},
      {"a key does not know of its trial", [](Probe& p) { p.trials.keys_[5].tried = false; }, kKeyMiscounted},
      {"an event of the key in the main stream",
       [](Probe& p) {
         p.events[p.sent[0]].ordered = true;
         p.events[p.sent[0]].key_hash = 5;
       },
       "trials: events of a key are tried and in the main stream at once"},
  };
}

std::vector<Probe::Row> Probe::OfWrites() {
  static constexpr const char* kConfirms = "confirms: an event is confirmed twice, or without an acknowledgement";
  static constexpr const char* kRecords =
      "failure records: an event is recorded twice, without a failure, or under another token";
  return {
      {"a sent event is confirmed, and then one that was acknowledged",
       [](Probe& p) { p.confirms.waiting_.insert(p.confirms.waiting_.begin(), p.sent[0]); }, kConfirms},
      {"an event is confirmed twice", [](Probe& p) { p.confirms.narrowed_.push_back({p.acknowledged}); }, kConfirms},
      {"an event is not confirmed", [](Probe& p) { p.confirms.waiting_.clear(); },
       "confirms: an acknowledged event is not confirmed"},
      {"a sent event is recorded, and then one that failed",
       [](Probe& p) {
         p.records.queue_.waiting.push_front({p.sent[0], OUTBOX_RETRY, 1, 0, 7});
       },
       kRecords},
      {"a sent event is being recorded",
       [](Probe& p) {
         p.records.queue_.writing.insert(p.records.queue_.writing.begin(), {p.sent[0], OUTBOX_RETRY, 1, 0, 7});
       },
       kRecords},
      {"two tokens at a time",
       [](Probe& p) {
         p.records.queue_.writing.push_back({AddEvent(p.events, {EventState::kFailing}), 0, 1, 0, 8});
       },
       kRecords},
      {"a failure that is not recorded", [](Probe& p) { p.records.queue_.waiting.clear(); },
       "failure records: a failed event is not recorded"},
      {"what is delivered cannot be recorded", [](Probe& p) { p.records.cannot_record_ = true; },
       "failure records: CannotRecord() is true although Unrecorded() is false"},
      {"failures cannot be recorded", [](Probe& p) { p.records.unrecorded_ = p.records.cannot_record_ = true; }, ""},
      {"failures that were not delivered cannot be recorded", [](Probe& p) { p.records.unrecorded_ = true; }, ""},
  };
}

// A check of the whole engine that is made while one event is in flight in the main stream and one as a trial.
struct EngineRow {
  const char* what;
  void (*set)(PartProbe&, Engine&);
  const char* broken;
};

std::vector<EngineRow> PartProbe::OfEngine() {
  using P = PartProbe&;
  using E = Engine&;
  return {
      {"as it should be", [](P, E) {}, ""},
      {"its events", [](P, E e) { ++e.events_.bytes_; }, "events: the bytes of the batches in use are miscounted"},
      {"its lease", [](P, E e) { e.lease_.next_.until = 1; }, "shard lease: a second lease waits while one is valid"},
      {"its slow start", [](P, E e) { e.slow_start_.mark_.To(MarkState::kWanted); },
       "slow start: an event is marked outside of a slow start"},
      {"its reading", [](P, E e) { e.reads_.skips_retries_ = true; },
       "reading: something waits for a read that is not under way"},
      {"its holds", [](P, E e) { e.holds_.barriers_.push_back(1); },
       "key holds: a barrier outlives the read that it waits for"},
      {"its main stream", [](P, E e) { ++e.window_.in_flight_; }, "send window: events in flight are miscounted"},
      {"its trials", [](P, E e) { e.trials_.retrials_ = 1; }, "trials: events without an answer are miscounted"},
      {"its confirms", [](P, E e) { e.confirms_.waiting_.push_back(0); },
       "confirms: an event is confirmed twice, or without an acknowledgement"},
      {"its records", [](P, E e) { e.records_.cannot_record_ = true; },
       "failure records: CannotRecord() is true although Unrecorded() is false"},
      {"an event in flight without a lease",
       [](P, E e) { e.lease_.state_.To(LeaseState::kLost), e.trials_.resetting_ = true; },
       "engine: events are in flight in the main stream although the lease is lost"},
      {"first steps whose events are outstanding", [](P p, E e) { p.BeginFirstSteps(e, 4); }, ""},
      {"a trial without a lease", [](P, E e) { e.lease_.state_.To(LeaseState::kLost), e.window_.resetting_ = true; },
       "engine: trials are in flight although the lease is lost"},
      {"both, while the streams begin again",
       [](P, E e) {
         e.lease_.state_.To(LeaseState::kLost);
         e.trials_.resetting_ = e.window_.resetting_ = true;
       },
       ""},
  };
}

namespace {

TEST_CASE("the engine's check finds what its parts find, and what is in flight without a lease") {
  for (const EngineRow& row : PartProbe::OfEngine()) {
    INFO(row.what);
    PartProbe probe;
    Engine engine{Settings{}};
    engine.Hold(1, kForever, false);
    engine.TakeCommands([](const Command&) {});
    (void)engine.Reserved({}, std::vector<Incoming>{{.lane = 1, .doubtful = true}, {}});
    engine.TakeCommands([](const Command&) {});
    REQUIRE(engine.InFlight() == 2);
    row.set(probe, engine);
    CHECK(engine.CheckInvariants() == row.broken);
  }
  Engine idle{Settings{.first_steps = 2}};
  CHECK(idle.CheckInvariants() == "");
  PartProbe::BeginFirstSteps(idle, 1);
  CHECK(idle.CheckInvariants() == "");
  PartProbe::BeginFirstSteps(idle, 2);
  CHECK(idle.CheckInvariants() == "engine: a slow start is still in its first steps although no event is outstanding");
}

TEST_CASE("the parts' checks find each broken invariant") {
  for (const auto& rows :
       {Probe::OfEvents(), Probe::OfReads(), Probe::OfWindow(), Probe::OfTrials(), Probe::OfWrites()}) {
    for (const Probe::Row& row : rows) {
      INFO(row.what);
      Probe probe;
      row.set(probe);
      CHECK(probe.Broken() == row.broken);
    }
  }
}

}  // namespace
}  // namespace outbox::engine
