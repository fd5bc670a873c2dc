// Tests that the reported state of a peer is correct, even after a caller has stopped calling the peer.
#include "runtime/peer_health.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <algorithm>
#include <sstream>
#include <vector>

#include "engine/engine.hpp"
#include "tests/catch.hpp"

namespace outbox::runtime {
namespace {

struct CapturedLog {
  std::ostringstream text;
  std::shared_ptr<spdlog::logger> logger =
      std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_st>(text));
  [[nodiscard]] std::ptrdiff_t Times(const std::string& what) const {
    const std::string all = text.str();
    std::ptrdiff_t times = 0;
    for (auto at = all.find(what); at != std::string::npos; at = all.find(what, at + 1)) ++times;
    return times;
  }
};

TEST_CASE("a peer is unavailable while any call to it fails, and available again when none does") {
  CapturedLog captured;
  PeerHealth database("database", captured.logger);
  const int reader = 0, writer = 0;
  database.Bad({&reader}, "no answer");
  database.Bad({&writer}, "no answer");
  database.Good({&reader});
  CHECK(database.State().trouble);
  database.Good({&writer});
  CHECK_FALSE(database.State().trouble);
  CHECK(captured.Times("unavailable: ") == 1);
  CHECK(captured.Times("available again") == 1);
}

TEST_CASE(
    "a caller that stopped trying does not count, and the next success reports that the peer is available again") {
  CapturedLog captured;
  PeerHealth database("database", captured.logger);
  const int reader = 0, lease = 0;
  database.Bad({&reader}, "no answer");
  database.Forget(&reader);
  CHECK_FALSE(database.State().trouble);
  CHECK(captured.Times("available again") == 0);
  database.Good({&lease});
  CHECK(captured.Times("available again") == 1);
}

TEST_CASE("a call that was given up does not count any more, but other calls of the same worker do") {
  CapturedLog captured;
  PeerHealth database("database", captured.logger);
  const int writer = 0;
  database.Bad({&writer, 1}, "no answer");
  database.Bad({&writer, 2}, "no answer");
  database.Forget({&writer, 1});
  CHECK(database.State().trouble);
  database.Good({&writer, 2});
  CHECK_FALSE(database.State().trouble);
}

// An engine whose commands are answered by the test instead of by a runner.
struct Worked {
  engine::Engine engine{engine::Settings{}};
  engine::Time now = 0;
  std::vector<engine::EventIndex> sent;
  bool reads = false;
  std::uint32_t epoch = 1;

  void Turn(engine::Time by = engine::kSecond) {
    bool confirms = false, marks = false;
    engine.Advance(now += by);
    engine.TakeCommands([&](const engine::Command& any) {
      namespace command = engine::command;
      std::visit(
          engine::Overloaded{
              [&](const command::Reserve&) { reads = true; },
              [&](const command::Publish& c) { sent.insert(sent.end(), c.events.begin(), c.events.end()); },
              [&](const command::Reset& c) { epoch = c.epoch; }, [&](const command::Confirm&) { confirms = true; },
              [&](const command::Mark&) { marks = true; }, [](const auto&) {}},
          any);
    });
    if (confirms) engine.Written(engine::Write::kConfirm, OUTBOX_OK, {});
    if (marks) engine.Marked(OUTBOX_OK, 0);
    if (confirms || marks) Turn(0);
  }
  void Read(std::size_t events) {
    while (!reads) Turn();
    reads = false;
    engine.Reserved({}, std::vector<engine::Incoming>(events));
    Turn(0);
  }
  void ComeBack() {
    engine.Release(engine::ReleaseReason::kLost, 0, 0);
    Turn();
    engine.ResetDone(epoch);
    Turn();
    REQUIRE_FALSE(engine.IsOwner());
    engine.Hold(0, engine::kForever, false);
  }
};

TEST_CASE("only an answer to the oldest event moves the time since which the broker owes an answer") {
  Worked w;
  w.engine.Hold(0, engine::kForever, false);
  const auto answer = [&w](engine::EventIndex event) {
    w.engine.Reported(std::vector<publisher::Report>{{event, w.epoch, publisher::Outcome::kAcknowledged}});
    w.Turn(0);
  };
  w.Read(0);  // The outbox is empty, so there is no slow start.
  w.Read(3);
  answer(w.sent.at(0));  // The answer to the first event proves the lane.
  w.Read(2);
  REQUIRE(w.sent.size() == 5);
  const engine::Time since = w.engine.OwedSince();
  w.Turn(5 * engine::kSecond);
  answer(w.sent[4]);
  CHECK(w.engine.OwedSince() == since);
  answer(w.sent[1]);
  CHECK(w.engine.OwedSince() == w.now);
  const engine::Time then = w.now;
  w.Turn(5 * engine::kSecond);
  answer(w.sent[3]);
  CHECK(w.engine.OwedSince() == then);
  answer(w.sent[2]);
  CHECK(w.engine.OwedSince() == engine::kForever);
}

TEST_CASE("an answer that the broker owes outlives a lost lease, until nothing is owed") {
  Worked w;
  w.engine.Hold(0, engine::kForever, false);
  w.Read(1);
  REQUIRE(w.sent.size() == 1);
  const engine::Time since = w.engine.OwedSince();
  REQUIRE(since < engine::kForever);
  w.ComeBack();
  CHECK(w.engine.OwedSince() == since);

  SECTION("the event is sent again, and answered") {
    w.Read(1);
    CHECK(w.engine.OwedSince() == since);
    REQUIRE(w.sent.size() == 2);
    w.engine.Reported(std::vector<publisher::Report>{{w.sent.back(), w.epoch, publisher::Outcome::kAcknowledged}});
  }
  SECTION("another relay has delivered it meanwhile") { w.Read(0); }
  CHECK(w.engine.OwedSince() == engine::kForever);
}

}  // namespace
}  // namespace outbox::runtime
