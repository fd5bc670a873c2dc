// Tests which events are tried alone after a refusal, which events are sent as before, and what counts as an outage.
#include <algorithm>

#include "engine/engine.hpp"
#include "tests/catch.hpp"

namespace outbox::engine {
namespace {

using publisher::Outcome;

constexpr publisher::Lane kBadLane = 1, kGoodLane = 2;
constexpr std::int32_t kWhy = 7;

struct TrialRun {
  Settings settings;
  Engine engine{settings};
  Time now = 0;
  std::vector<EventIndex> sent, tried, failed;
  std::uint32_t epoch = 1, trial_epoch = publisher::kTrialEpochs | 1;
  std::uint32_t reset = 0;
  bool reads = false, rewinds = false;

  TrialRun() {
    engine.Hold(0, kForever, false);
    Turn();
  }
  void Turn(Time by = 0) {
    engine.Advance(now += by);
    engine.TakeCommands([this](const Command& any) {
      std::visit(Overloaded{[this](const command::Reserve& c) { reads = true, rewinds = c.mode != OUTBOX_READ_ON; },
                            [this](const command::Reset& c) { reset = c.epoch; },
                            [this](const command::Publish& c) {
                              auto& to = publisher::IsTrial(c.epoch) ? tried : sent;
                              to.insert(to.end(), c.events.begin(), c.events.end());
                            },
                            [this](const command::Fail& c) {
                              for (const FailedEvent& f : c.failures) failed.push_back(f.event);
                            },
                            [](const auto&) {}},
                 any);
    });
  }
  void Read(const std::vector<Incoming>& events) {
    for (int i = 0; i < 100 && !reads; ++i) Turn(10 * kMillisecond);
    REQUIRE(reads);
    reads = false;
    engine.Reserved({}, events);
    Turn();
  }
  void Report(EventIndex e, Outcome outcome, bool trial = false) {
    engine.Reported(std::vector<publisher::Report>{{e, trial ? trial_epoch : epoch, outcome, kWhy}});
    Turn();
  }
  void Reset() {
    engine.ResetDone(reset);
    (publisher::IsTrial(reset) ? trial_epoch : epoch) = reset;
    Turn();
  }
  // Proves both lanes. A lane's first event is sent alone, so one event of each lane is acknowledged before the test.
  void Prove() {
    Read({{.lane = kBadLane}, {.lane = kGoodLane}});
    const std::vector<EventIndex> both = sent;
    for (const EventIndex e : both) Report(e, Outcome::kAcknowledged);
    sent.clear();
  }
};

Incoming Of(std::uint64_t key, publisher::Lane lane, std::uint32_t attempts = 0) {
  return {.key_hash = key, .has_key = true, .attempts = attempts, .lane = lane};
}

TEST_CASE("after a refusal the lane's events become trials, and the other lanes go on", "[b96]") {
  TrialRun t;
  t.Prove();
  t.Read({Of(1, kBadLane), Of(2, kBadLane), Of(3, kGoodLane)});
  REQUIRE(t.sent.size() == 3);
  t.engine.ProducerFailed();  // The client first reports that the producer has ended.
  t.Report(t.sent[0], Outcome::kRefused);
  t.Report(t.sent[1], Outcome::kRefused);
  t.Report(t.sent[2], Outcome::kUnknown);
  CHECK(t.failed.empty());  // No event is charged for the failure of another one.
  t.sent.clear();
  const Time before = t.now;
  t.Reset();
  t.Read({Of(3, kGoodLane), Of(1, kBadLane), Of(2, kBadLane)});
  CHECK(t.now == before);  // A refusal causes no backoff.
  CHECK(t.rewinds);
  REQUIRE(t.sent.size() == 1);
  CHECK(t.tried.empty());  // Trials wait until the events sent before them are answered.
  t.Report(t.sent[0], Outcome::kAcknowledged);
  t.Turn();
  REQUIRE(t.tried.size() == 2);
  t.Report(t.tried[0], Outcome::kRefused, true);
  t.Report(t.tried[1], Outcome::kAcknowledged, true);
  CHECK(t.failed == std::vector<EventIndex>{t.tried[0]});
  t.sent.clear();
  t.Read({Of(4, kGoodLane)});
  CHECK(t.sent.size() == 1);  // A refused trial does not reset the main stream.
}

TEST_CASE("a producer that ends without a refusal is an outage, also when it is replaced because it is outdated",
          "[b96]") {
  TrialRun t;
  t.Prove();
  t.Read({Of(1, kGoodLane)});
  SECTION("outage") {
    t.engine.ProducerFailed();
    t.Turn();
    t.reads = false;
    t.Report(t.sent[0], Outcome::kUnknown);
    t.Reset();
    CHECK_FALSE(t.reads);
    t.Turn(t.settings.min_backoff);
    CHECK(t.reads);
  }
  SECTION("outdated") {
    t.engine.ProducerOutdated();
    t.Turn();
    t.reads = false;
    t.Report(t.sent[0], Outcome::kUnknown);
    t.Reset();
    CHECK(t.reads);
  }
}

TEST_CASE("a key has one trial at a time, and events behind a refused one wait", "[b96]") {
  TrialRun t;
  t.Prove();
  Incoming doubtful = Of(1, kGoodLane);
  doubtful.doubtful = true;
  t.Read({doubtful, Of(1, kGoodLane), Of(1, kBadLane), Of(2, kGoodLane)});
  REQUIRE(t.sent.size() == 1);  // Only the event of the other key is sent.
  t.Report(t.sent[0], Outcome::kAcknowledged);
  t.Turn();
  REQUIRE(t.tried.size() == 1);
  SECTION("acknowledged: the next one is tried") {
    t.Report(t.tried[0], Outcome::kAcknowledged, true);
    t.Turn();
    CHECK(t.tried.size() == 2);
  }
  SECTION("refused: later events are read again behind it") {
    t.Report(t.tried[0], Outcome::kRefused, true);
    t.Turn();
    CHECK(t.tried.size() == 1);
    CHECK(t.failed.size() == 1);
    t.engine.Written(Write::kFail, OUTBOX_OK);
    for (int i = 0; i < 100 && !(t.reads && t.rewinds); ++i) {
      if (t.reads) t.Read({});
      t.Turn(kMillisecond);
    }
    CHECK(t.rewinds);
  }
  SECTION("unknown: only the stream of trials is reset") {
    t.Report(t.tried[0], Outcome::kUnknown, true);
    REQUIRE(publisher::IsTrial(t.reset));
    t.sent.clear();
    t.Read({Of(1, kGoodLane), Of(5, kGoodLane)});
    CHECK(t.sent.size() == 1);  // The event of the tried key is not sent.
    t.Reset();
    CHECK(t.failed.empty());
  }
}

TEST_CASE("events that have failed take a tenth of the trials", "[b96]") {
  TrialRun t;
  t.Prove();
  std::vector<Incoming> events;
  for (std::uint64_t key = 0; key < 100; ++key) events.push_back(Of(100 + key, kBadLane, 1));
  for (std::uint64_t key = 0; key < 100; ++key) {
    events.push_back(Of(300 + key, kBadLane));
    events.back().doubtful = true;
  }
  t.Read(events);
  t.Turn();
  CHECK(t.tried.size() == t.settings.max_trials + t.settings.max_retrials);
  const std::vector<EventIndex> first = t.tried;
  t.tried.clear();
  for (const EventIndex e : first) t.Report(e, Outcome::kRefused, true);
  CHECK(t.tried.size() == 50 + t.settings.max_retrials);
}

}  // namespace
}  // namespace outbox::engine
