// Tests how an engine reacts to a hint that rows were committed, and when it ignores one.
#include "engine/engine.hpp"
#include "tests/catch.hpp"

namespace outbox::engine {
namespace {

struct Idle {
  Settings settings;
  Engine engine{settings};
  Time now = 0;
  bool reads = false;

  Idle() {
    engine.Hold(0, kForever, false);
    Turn(kMillisecond);
    for (int i = 0; i < 12; ++i) {
      Answer(0);
      Turn(engine.NextDeadline() - now);
    }
    Answer(0);
    REQUIRE(engine.NextDeadline() - now == settings.poll_interval);
  }
  void Turn(Time by) {
    engine.Advance(now += by);
    engine.TakeCommands([this](const Command& any) {
      if (std::holds_alternative<command::Reserve>(any)) reads = true;
    });
  }
  void Answer(std::size_t events) {
    REQUIRE(reads);
    reads = false;
    engine.Reserved({}, std::vector<Incoming>(events));
    Turn(0);
  }
};

TEST_CASE("a woken engine reads at once, and only once") {
  Idle idle;
  idle.Turn(kMillisecond * 100);
  REQUIRE_FALSE(idle.reads);
  idle.engine.Wake();
  idle.Turn(0);
  CHECK(idle.reads);
  idle.Answer(0);
  CHECK_FALSE(idle.reads);
}

TEST_CASE("a wake-up during a read asks for another one") {
  Idle idle;
  idle.engine.Wake();
  idle.Turn(kMillisecond * 100);
  REQUIRE(idle.reads);
  idle.engine.Wake();
  idle.Answer(0);
  idle.Turn(idle.settings.min_poll);
  CHECK(idle.reads);
}

TEST_CASE("wake-ups make no more reads than a busy relay's polls") {
  Idle idle;
  int reads = 0;
  for (int i = 0; i < 1000; ++i) {
    idle.engine.Wake();
    idle.Turn(idle.settings.min_poll / 10);
    if (!idle.reads) continue;
    ++reads;
    idle.Answer(0);
  }
  CHECK(reads > 90);
  CHECK(reads <= 101);
}

TEST_CASE("a wake-up does not cut short the wait after a failure") {
  Idle idle;
  idle.engine.Wake();
  idle.Turn(kMillisecond * 100);
  REQUIRE(idle.reads);
  idle.reads = false;
  idle.engine.Wake();
  idle.engine.ReserveFailed(OUTBOX_UNAVAILABLE);
  idle.engine.Wake();
  idle.Turn(0);
  CHECK_FALSE(idle.reads);
  idle.Turn(idle.engine.NextDeadline() - idle.now);
  CHECK(idle.reads);
}

}  // namespace
}  // namespace outbox::engine
