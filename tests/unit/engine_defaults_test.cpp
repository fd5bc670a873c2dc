// Tests the default values of the engine's limits and of the fields of its inputs and commands.
#include "engine/engine.hpp"
#include "engine/shard_coordinator.hpp"
#include "tests/catch.hpp"

namespace outbox::engine {
namespace {

TEST_CASE("the limits of an engine, in microseconds, events and bytes") {
  CHECK(kMillisecond == 1'000);
  CHECK(kSecond == 1'000'000);
  CHECK(kNotByItself == 31'536'000'000'000);  // One year.
  CHECK(kForever > 10'000 * kNotByItself);
  CHECK(kForever + kForever > kForever);  // The sum of two deadlines does not overflow.

  const Settings settings;
  CHECK(settings.batch_events == 1000);
  CHECK(settings.window_events == 20'000);
  CHECK(settings.window_bytes == 33'554'432);
  CHECK(settings.max_awaiting_record == 0);
  CHECK(settings.order_keys);
  CHECK(settings.min_poll == 1'000);
  CHECK(settings.poll_interval == 250'000);
  CHECK(settings.delivery_timeout == 30'000'000);
  CHECK(settings.lease_margin == 2'000'000);
  CHECK(settings.confirm_gather == 5'000);
  CHECK(settings.lane_idle == 3'600'000'000);
  CHECK(settings.rescan_rest == 9);
  CHECK(settings.max_rescan_rest == 5'000'000);
  CHECK(settings.record_rest == 3);
  CHECK(settings.max_record_rest == 1'000'000);
  CHECK(settings.rescan_interval == 60'000'000);
  CHECK(settings.removal_interval == kForever);
  CHECK(settings.min_backoff == 100'000);
  CHECK(settings.max_backoff == 5'000'000);
  CHECK(settings.min_suspicion == 1'000'000);
  CHECK(settings.max_suspicion == 60'000'000);
  CHECK(settings.max_trials == 50);
  CHECK(settings.max_retrials == 5);
  CHECK(settings.first_steps == 4);
  CHECK(settings.most_owners == 3);
  CHECK(settings.seed == 1);

  REQUIRE(settings.policies.size() == 1);
  const FailurePolicy& policy = settings.policies.front();
  CHECK(policy.max_attempts == 10);
  CHECK(policy.on_exhausted == OUTBOX_BLOCK);
  CHECK(policy.retry_backoff == 1'000'000);
  CHECK(policy.max_retry_backoff == 300'000'000);
}

TEST_CASE("the limits that are computed from others") {
  Settings settings;
  CHECK(settings.events_at_once() == 10'000);
  CHECK(settings.max_retried() == 2'000);
  CHECK(settings.batch_bytes() == 16'777'216);
  settings.window_events = 9;
  CHECK(settings.events_at_once() == 4);
  CHECK(settings.max_retried() == 1);
  settings.window_events = 1;
  CHECK(settings.events_at_once() == 1);
}

TEST_CASE("an event has no key, no failure and no doubt by default") {
  const Incoming incoming;
  CHECK(incoming.key_hash == 0);
  CHECK_FALSE((incoming.has_key || incoming.refused || incoming.doubtful || incoming.returned));
  CHECK((incoming.attempts == 0 && incoming.lane == 0 && incoming.policy == 0));

  const Reservation reservation;
  CHECK(reservation.arena_bytes == 0);
  CHECK_FALSE((reservation.more || reservation.drain_first));
  CHECK(reservation.until == kForever);
  CHECK(reservation.rescan == OUTBOX_RESCAN_DONE);
  CHECK(reservation.token == 0);

  const Event event;
  CHECK((event.key_hash == 0 && event.batch == 0 && event.position == 0 && event.lane == 0));
  CHECK((event.flight == 0 && event.attempts == 0 && event.policy == 0));
  CHECK_FALSE((event.ordered || event.doubtful || event.detached));
  CHECK(event.state() == EventState::kFree);

  const EventTable::Batch batch;
  CHECK((batch.arena_bytes == 0 && batch.until == kForever && batch.token == 0));
  CHECK((batch.left == 0 && batch.routes == 0 && !batch.in_use));
}

TEST_CASE("a default command names nothing") {
  const command::Reserve reserve;
  CHECK((reserve.mode == OUTBOX_READ_ON && reserve.rows == 0 && !reserve.skip_retries));
  CHECK((command::Publish{}.epoch == 0 && command::Publish{}.events.empty()));
  CHECK(command::Reset{}.epoch == 0);
  CHECK(command::FreeBatch{}.batch == 0);
  CHECK((command::Released{}.token == 0 && command::Released{}.reason == ReleaseReason::kLost));
  CHECK(FailedEvent{1, OUTBOX_RETRY, 0, 0}.token == 0);
}

TEST_CASE("the inputs of an engine's parts are empty by default") {
  const ReadScheduler::Need need;
  CHECK((need.rows == 0 && !need.slow_start && !need.many_failures));
  const ReadScheduler::Answer read;
  CHECK_FALSE((read.more || read.empty || read.new_rows || read.useful || read.crowded));
  CHECK(read.rescan == OUTBOX_RESCAN_DONE);
  const MarkAnswer mark;
  CHECK((mark.code == OUTBOX_OK && mark.owners == 0 && !mark.queued && !mark.lease_ends));
  CHECK(ShardCoordinator::Settings{1, 1}.has_leases);
}

TEST_CASE("counters begin with 0, and a sum adds each to its own") {
  const auto list = [](const Counters& c) {
    return std::vector<std::uint64_t>{c.reserved, c.sent,   c.acknowledged, c.confirmed,  c.failed,      c.dead,
                                      c.blocked,  c.resets, c.rescans,      c.sent_again, c.leases_lost, c.undeletable};
  };
  CHECK(list({}) == std::vector<std::uint64_t>(12));
  Counters sum{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  sum += {100, 200, 300, 400, 500, 600, 700, 800, 900, 1000, 1100, 1200};
  sum += Counters{};
  CHECK(list(sum) == std::vector<std::uint64_t>{101, 202, 303, 404, 505, 606, 707, 808, 909, 1010, 1111, 1212});
}

}  // namespace
}  // namespace outbox::engine
