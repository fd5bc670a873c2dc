// Tests when events are sent: at once or, in a backlog, together with events that are about to be read.
#include "engine/engine.hpp"
#include "tests/catch.hpp"

namespace outbox::engine {
namespace {

struct Backlog {
  Settings settings;
  Engine engine{settings};
  Time now = 0;
  std::vector<std::vector<EventIndex>> sent;

  Backlog() {
    engine.Hold(0, kForever, false);
    Turn();
    // The first event of a lane is sent alone, so one event is delivered before the test begins.
    Arrive(1, false);
    Answer(sent.back());
    Confirm();
    now += settings.min_poll;
    Turn();
    sent.clear();
  }
  void Turn() {
    engine.Advance(now);
    engine.TakeCommands([this](const Command& any) {
      if (const auto* const publish = std::get_if<command::Publish>(&any))
        sent.emplace_back(publish->events.begin(), publish->events.end());
    });
  }
  // Answers the read with `events` rows. `more` is true if the outbox contains further rows.
  void Arrive(std::size_t events, bool more) {
    engine.Reserved({.more = more}, std::vector<Incoming>(events));
    Turn();
  }
  void Answer(const std::vector<EventIndex>& events) {
    std::vector<publisher::Report> reports;
    for (const EventIndex e : events) reports.push_back({e, 1, publisher::Outcome::kAcknowledged, 0});
    engine.Reported(reports);
    Turn();
  }
  void Confirm() {
    engine.Written(Write::kConfirm, OUTBOX_OK, {});
    Turn();
  }
  [[nodiscard]] std::size_t batch() const { return settings.batch_events; }
};

TEST_CASE("in a backlog, events wait for each other while the broker has work") {
  Backlog b;
  b.Arrive(b.batch(), true);
  REQUIRE(b.sent.size() == 1);  // The batch is sent at once, because the broker had nothing to do.
  for (std::size_t read = b.batch(); read < b.settings.events_at_once(); read += b.batch()) b.Arrive(b.batch(), true);
  CHECK(b.sent.size() == 1);
  b.Arrive(b.batch(), true);
  REQUIRE(b.sent.size() == 2);
  CHECK(b.sent.back().size() == b.settings.events_at_once());
}

TEST_CASE("in a backlog, events wait while the database is behind the broker") {
  Backlog b;
  b.Arrive(b.batch(), true);
  b.Answer(std::vector(b.sent.back()));  // The confirm of these events is now under way.
  b.Arrive(b.batch(), true);
  CHECK(b.sent.size() == 1);
  b.Confirm();
  REQUIRE(b.sent.size() == 2);
  CHECK(b.sent.back().size() == b.batch());
}

TEST_CASE("events that wait are sent") {
  Backlog b;
  b.Arrive(b.batch(), true);
  b.Arrive(10, true);
  REQUIRE(b.sent.size() == 1);
  SECTION("when the broker has answered") {
    b.Answer(std::vector(b.sent.back()));
    REQUIRE(b.sent.size() == 2);
    CHECK(b.sent.back().size() == 10);
  }
  SECTION("when there are no more rows") { b.Arrive(10, false); }
  SECTION("when no more rows can be read") {
    b.engine.ReserveFailed(OUTBOX_UNAVAILABLE);
    b.Turn();
  }
  CHECK(b.sent.size() == 2);
}

TEST_CASE("without a backlog no event waits") {
  Backlog b;
  b.Arrive(10, false);
  REQUIRE(b.sent.size() == 1);
  b.now += b.settings.min_poll;
  b.Turn();
  b.Arrive(10, false);
  CHECK(b.sent.size() == 2);
}

}  // namespace
}  // namespace outbox::engine
