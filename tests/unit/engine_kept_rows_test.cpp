// Tests of delivered events whose rows the database does not let the relay remove.
#include <algorithm>
#include <functional>
#include <set>
#include <string>

#include "engine/engine.hpp"
#include "runtime/returned_rows.hpp"
#include "tests/catch.hpp"

namespace outbox::engine {
namespace {

// An engine with a storage that refuses to remove the rows in `refused` and ignores the removal of those in `ignored`.
struct Shard {
  Settings settings;
  Engine engine{settings};
  Time now = 0;
  std::set<EventIndex> refused, ignored;
  outbox_code record_answer = OUTBOX_OK;
  int confirms = 0, records = 0;
  std::vector<EventIndex> recorded;
  bool retired = false;

  std::size_t waiting = 0;  // Number of rows that are in the outbox and have not been read.

  Shard() { engine.Hold(0, kForever, false); }
  void Turns(int count) {
    for (int i = 0; i < count; ++i) Turn();
  }
  void Turn() {
    engine.Advance(now += settings.max_backoff);
    Answers answers;
    engine.TakeCommands(
        [&](const Command& any) { std::visit([&](const auto& command) { Answer(command, answers); }, any); });
    for (const auto& answer : answers) answer();
  }

  // Functions that answer the commands of a turn. They are called after the turn, so they must own their data.
  using Answers = std::vector<std::function<void()>>;
  void Answer(const command::Reserve&, Answers& answers) {
    answers.emplace_back([this] { engine.Reserved({}, std::vector<Incoming>(std::exchange(waiting, 0))); });
  }
  void Answer(const command::Publish& publish, Answers& answers) {
    std::vector<publisher::Report> reports;
    for (const EventIndex one : publish.events)
      reports.push_back({one, publish.epoch, publisher::Outcome::kAcknowledged, 0});
    answers.emplace_back([this, reports] { engine.Reported(reports); });
  }
  void Answer(const command::Confirm& confirm, Answers& answers) {
    ++confirms;
    bool refuses = false;
    std::vector<std::uint8_t> kept;
    for (const EventIndex one : confirm.events) {
      refuses = refuses || refused.contains(one);
      kept.push_back(ignored.contains(one) ? 1 : 0);
    }
    answers.emplace_back(
        [this, refuses, kept] { engine.Written(Write::kConfirm, refuses ? OUTBOX_REFUSED : OUTBOX_OK, kept); });
  }
  void Answer(const command::Fail& fail, Answers& answers) {
    ++records;
    if (record_answer == OUTBOX_OK)
      for (const FailedEvent& one : fail.failures) {
        CHECK(one.disposition == OUTBOX_DELIVERED);
        recorded.push_back(one.event);
      }
    answers.emplace_back([this, code = record_answer] { engine.Written(Write::kFail, code); });
  }
  void Answer(const command::Released&, Answers&) { retired = true; }
  template <class Other>
  void Answer(const Other&, Answers&) {}
};

TEST_CASE("a refused confirm is narrowed down to the row, and the other rows are removed", "[b98][b101]") {
  Shard shard;
  shard.waiting = 500;
  shard.refused = {77};
  shard.ignored = {80, 81};
  shard.Turns(80);
  CHECK(shard.engine.counters().confirmed == 497);
  std::sort(shard.recorded.begin(), shard.recorded.end());
  CHECK(shard.recorded == std::vector<EventIndex>{77, 80, 81});
  CHECK(shard.confirms < 30);  // Each refusal halves the number of rows in the next confirm.
  CHECK(shard.engine.Outstanding() == 0);
  CHECK(shard.engine.RemovesNothingSince() == kForever);
}

TEST_CASE("it is reported that no row can be removed, until one is removed", "[b98][b101]") {
  Shard shard;
  shard.waiting = 20;
  for (EventIndex e = 0; e < 20; ++e) shard.refused.insert(e);
  shard.Turns(80);
  CHECK(shard.recorded.size() == 20);
  CHECK(shard.engine.RemovesNothingSince() < shard.now);
  shard.refused.clear();
  shard.waiting = 1;
  shard.Turns(10);
  CHECK(shard.engine.RemovesNothingSince() == kForever);
}

TEST_CASE("one row that stays does not mean that no row can be removed", "[b101]") {
  Shard shard;
  shard.waiting = 1;
  shard.refused = {0};
  shard.Turns(10);
  CHECK(shard.recorded.size() == 1);
  CHECK(shard.engine.RemovesNothingSince() == kForever);
}

TEST_CASE("a failure that cannot be recorded stops the shard, and does not keep it from being released", "[b101]") {
  Shard shard;
  shard.waiting = 20;
  shard.refused = {3};
  shard.record_answer = OUTBOX_BAD_DATA;
  shard.Turns(40);
  CHECK(shard.engine.CannotRecord());
  const auto published = shard.engine.counters().sent;
  shard.waiting = 10;
  shard.Turns(10);
  CHECK(shard.engine.counters().sent == published);
  SECTION("it can be recorded later") {
    shard.record_answer = OUTBOX_OK;
    shard.Turns(10);
    CHECK_FALSE(shard.engine.CannotRecord());
    CHECK(shard.engine.counters().sent == published + 10);
  }
  SECTION("the relay stops") {
    shard.engine.Release(ReleaseReason::kStop, 0, kForever);
    shard.Turns(5);
    CHECK(shard.retired);
  }
}

TEST_CASE("a row that was returned more than once is recorded without being sent", "[b98]") {
  Engine engine{Settings()};
  engine.Hold(0, kForever, false);
  engine.Advance(1);
  engine.TakeCommands([](const Command&) {});
  engine.Reserved({}, std::vector<Incoming>{{.returned = true}});
  std::vector<std::string> done;
  engine.TakeCommands([&](const Command& any) {
    std::visit(Overloaded{[&](const command::Detach&) { done.emplace_back("detach"); },
                          [&](const command::FreeBatch&) { done.emplace_back("free batch"); },
                          [&](const command::Fail& fail) {
                            done.emplace_back("fail");
                            CHECK(fail.failures[0].disposition == OUTBOX_DELIVERED);
                          },
                          [&](const auto&) { done.emplace_back("another"); }},
               any);
  });
  CHECK(done == std::vector<std::string>{"detach", "free batch", "fail"});
}

TEST_CASE("rows that are returned are noticed by one row of each confirm, then by all", "[b98]") {
  using Seen = runtime::ReturnedRows::Seen;
  runtime::ReturnedRows rows;
  rows.Removed("1", "a", true, 0);
  rows.Removed("2", "b", false, 0);
  CHECK(rows.Read("2", "b", 1) == Seen::kNew);      // Only the first row of a confirm is remembered.
  CHECK(rows.Read("1", "other", 1) == Seen::kNew);  // Another event has the same row id.
  CHECK(rows.Read("1", "a", 1) == Seen::kBack);
  CHECK(rows.Read("1", "a", 2) == Seen::kNew);  // The row was not removed between the two reads.
  rows.Removed("1", "a", true, 3);
  rows.Removed("2", "b", false, 3);
  CHECK(rows.Read("1", "a", 4) == Seen::kBackAgain);
  CHECK(rows.Read("2", "b", 4) == Seen::kBackAgain);  // Since row 1 came back, all removed rows are remembered.
  // The memory is bounded: the oldest rows are forgotten.
  for (int i = 0; i < 100'000; ++i) rows.Removed(std::to_string(i), "x" + std::to_string(i), true, 5);
  CHECK(rows.Read("99999", "x99999", 6) == Seen::kBackAgain);
  CHECK(rows.Read("10", "x10", 6) == Seen::kNew);
}

TEST_CASE("an event that is returned as another row is noticed and never held back", "[b98]") {
  using Seen = runtime::ReturnedRows::Seen;
  runtime::ReturnedRows rows;
  for (int row = 1; row < 100; ++row) {
    rows.Removed(std::to_string(row), "a", true, row);
    CHECK(rows.Read(std::to_string(row + 1), "a", row) == Seen::kBackElsewhere);
    CHECK(rows.Read(std::to_string(row + 1), "a", row) == Seen::kNew);
  }
}

TEST_CASE("a row that stays is recorded during the lease, and only forgotten after a lost lease") {
  const bool lost = GENERATE(false, true);
  Engine engine{Settings{}};
  std::vector<std::size_t> commands;
  const auto turn = [&] {
    commands.clear();
    engine.TakeCommands([&](const Command& any) { commands.push_back(any.index()); });
    CHECK(engine.CheckInvariants().empty());
  };
  const auto has = [&](const Command& kind) { return std::ranges::count(commands, kind.index()) == 1; };
  engine.Hold(1, 100 * kSecond, false);
  turn();
  (void)engine.Reserved({.token = 1}, std::vector<Incoming>(1));
  turn();
  engine.Reported(std::vector<publisher::Report>{{0, 1, publisher::Outcome::kAcknowledged, 0}});
  turn();
  REQUIRE(has(command::Confirm{}));
  if (lost) engine.Release(ReleaseReason::kLost, 1, 0);
  turn();
  engine.Written(Write::kConfirm, OUTBOX_OK, std::vector<std::uint8_t>{1});
  turn();
  CHECK(has(command::Fail{}) == !lost);
  CHECK(has(command::Forget{}) == lost);
  CHECK(has(command::Released{}) == lost);
}

}  // namespace
}  // namespace outbox::engine
