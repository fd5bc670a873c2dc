// Tests of events that have failed and whose failure is not recorded yet.
#include "engine/engine.hpp"
#include "tests/catch.hpp"

namespace outbox::engine {
namespace {

constexpr std::uint32_t kBatch = 10;

struct Recording {
  Settings settings{.batch_events = kBatch, .window_events = 2 * kBatch, .max_awaiting_record = 10 * kBatch};
  Engine engine{settings};
  std::vector<EventIndex> sent, detached, forgotten;
  std::vector<FailedEvent> recording;  // The failures in the unanswered write.
  std::vector<BatchIndex> freed;
  bool reads = false, skips_retries = false, retired = false;
  Time now = 0;

  Recording() {
    engine.Hold(0, kForever, false);
    Turn();
  }
  void Turn() {
    engine.Advance(now);
    const auto add = [](std::vector<EventIndex>& to, std::span<const EventIndex> events) {
      to.insert(to.end(), events.begin(), events.end());
    };
    engine.TakeCommands([&](const Command& any) {
      std::visit(Overloaded{[&](const command::Reserve& c) {
                              reads = true;
                              skips_retries = c.skip_retries;
                            },
                            [&](const command::Released&) { retired = true; },
                            [&](const command::FreeBatch& c) { freed.push_back(c.batch); },
                            [&](const command::Publish& c) { add(sent, c.events); },
                            [&](const command::Detach& c) { add(detached, c.events); },
                            [&](const command::Forget& c) { add(forgotten, c.events); },
                            [&](const command::Fail& c) { recording.assign(c.failures.begin(), c.failures.end()); },
                            [](const auto&) {}},
                 any);
    });
  }
  // Answers the engine's read with `count` copies of `event`. Returns false if the engine has not requested a read.
  bool Read(const Incoming& event, std::uint64_t token, std::uint32_t count = kBatch) {
    if (!reads) return false;
    reads = false;
    engine.Reserved({.arena_bytes = 1000, .more = true, .token = token}, std::vector<Incoming>(count, event));
    Turn();
    return true;
  }
  void Written(outbox_code code) {
    REQUIRE_FALSE(recording.empty());
    recording.clear();
    engine.Advance(now);
    engine.Written(Write::kFail, code);
    Turn();
  }
};

constexpr Incoming kBad{.refused = true}, kGood{};

TEST_CASE("an event behind many that fail is sent while their failures are being recorded", "[b95]") {
  Recording r;
  for (std::uint32_t batch = 0; batch < 10; ++batch) REQUIRE(r.Read(kBad, 1));
  CHECK(r.recording.size() == kBatch);
  CHECK(r.detached.size() == 10 * kBatch);
  CHECK(r.freed.size() == 10);  // All ten batches are freed, with their payloads.
  CHECK(r.forgotten.empty());   // No row may be read again before its failure is recorded.
  REQUIRE(r.Read(kGood, 1, 1));
  CHECK(r.sent.size() == 1);
}

TEST_CASE("reading waits when too many failures wait to be recorded", "[b95]") {
  Recording r;
  std::uint32_t reads = 0;
  while (r.Read(kBad, 1)) REQUIRE(++reads < 100);
  CHECK(reads == 12);  // Ten batches may await their record, and two fit into the window.
  r.Written(OUTBOX_OK);
  CHECK(r.forgotten.size() == kBatch);
  CHECK(r.Read(kBad, 1));
}

TEST_CASE("recording leaves half of the time to other work, and three quarters while new rows wait to be read",
          "[b95]") {
  Recording r;
  const auto rest_after = [&r](Time takes) {
    r.now += takes;
    r.Written(OUTBOX_OK);
    CHECK(r.recording.empty());
    const Time written = r.now;
    while (r.recording.empty()) {
      REQUIRE(r.now < written + 3600 * kSecond);
      r.now = r.engine.NextDeadline();
      r.Turn();
    }
    return r.now - written;
  };
  SECTION("new rows") {
    for (std::uint32_t batch = 0; batch < 3; ++batch) REQUIRE(r.Read(kBad, 1));
    CHECK(rest_after(20 * kMillisecond) == 60 * kMillisecond);
    CHECK(rest_after(5 * kSecond) == kSecond);
  }
  SECTION("only retries") {
    for (std::uint32_t batch = 0; batch < 2; ++batch) REQUIRE(r.Read(kBad, 1));
    Incoming retry = kBad;
    retry.attempts = 1;
    REQUIRE(r.Read(retry, 1, 1));
    CHECK(rest_after(20 * kMillisecond) == 20 * kMillisecond);
  }
  SECTION("no more failures may wait") {
    while (r.Read(kBad, 1)) continue;
    CHECK(rest_after(20 * kMillisecond) == 20 * kMillisecond);
  }
}

TEST_CASE("in a backlog, nine of ten reads skip retries while there is no room for them", "[b95]") {
  Recording r;
  CHECK_FALSE(r.skips_retries);
  REQUIRE(r.Read(kBad, 1));
  int skipping = 0;
  for (int read = 0; read < 30; ++read) {
    while (!r.reads) {
      r.now = r.engine.NextDeadline();
      r.Turn();
    }
    skipping += static_cast<int>(r.skips_retries);
    REQUIRE(r.Read(kGood, 1, 0));
  }
  CHECK(skipping == 27);
}

TEST_CASE("failures of one token are recorded together, up to a batch", "[b95]") {
  Recording r;
  REQUIRE(r.Read(kBad, 1, 1));  // The first failure is written at once, without later failures.
  for (const std::uint64_t token : {1u, 1u, 2u, 2u}) REQUIRE(r.Read(kBad, token, 4));
  r.Written(OUTBOX_OK);
  REQUIRE(r.recording.size() == 8);
  CHECK(r.recording.front().token == 1);
  r.Written(OUTBOX_OK);
  REQUIRE(r.recording.size() == 8);
  CHECK(r.recording.front().token == 2);
}

TEST_CASE("a stop records at most one more batch, and forgets the rest", "[b95]") {
  Recording r;
  for (std::uint32_t batch = 0; batch < 6; ++batch) REQUIRE(r.Read(kBad, 1));
  r.engine.Release(ReleaseReason::kStop, 0, kForever);
  if (r.reads) {
    r.engine.Reserved({}, {});
    r.Turn();
  }
  r.Turn();
  CHECK(r.forgotten.size() == 4 * kBatch);
  r.Written(OUTBOX_OK);
  CHECK_FALSE(r.retired);
  r.Written(OUTBOX_OK);
  CHECK(r.retired);
  CHECK(r.forgotten.size() == 6 * kBatch);
}

TEST_CASE("a lost lease drops the failures that wait to be recorded", "[b95]") {
  Recording r;
  for (std::uint32_t batch = 0; batch < 6; ++batch) REQUIRE(r.Read(kBad, 1));
  r.engine.Release(ReleaseReason::kLost, 0, 0);
  r.engine.ReserveFailed(OUTBOX_LEASE_LOST);
  r.Turn();
  CHECK(r.forgotten.size() == 5 * kBatch);
  r.Written(OUTBOX_LEASE_LOST);
  CHECK(r.retired);
}

}  // namespace
}  // namespace outbox::engine
