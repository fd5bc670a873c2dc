// Tests that ShardCoordinator::CheckInvariants detects each broken invariant. No input can break an invariant, so the
// tests write to private fields.
#include "engine/shard_coordinator.hpp"
#include "tests/catch.hpp"

namespace outbox::engine {

// A friend of the coordinator, through which the tests write to private fields.
struct CoordinatorProbe {
  struct Row {
    const char* what;
    void (*set)(ShardCoordinator&);
    const char* broken;
  };
  using Phase = ShardCoordinator::Phase;
  using Call = ShardCoordinator::Call;

  // Sets up two shards: shard 0 is running and shard 1 is gained.
  static void Prepare(ShardCoordinator& c) {
    c.shards_ = 2;
    c.runners_ = {0};
    c.held_ = {{0, {7, kSecond, Phase::kRunning}}, {1, {4, kSecond, Phase::kGained}}};
    c.next_beat_ = kSecond;
  }
  static std::vector<Row> Rows();
};

std::vector<CoordinatorProbe::Row> CoordinatorProbe::Rows() {
  using C = ShardCoordinator;
  return {
      {"as it should be", [](C&) {}, ""},
      // ---- runners ----
      {"a shard runs without a runner", [](C& c) { c.runners_.clear(); }, "a shard is delivered without a runner"},
      {"a shard is handed over without a runner", [](C& c) { c.held_.at(1).phase = Phase::kHandingOver; },
       "a shard is delivered without a runner"},
      {"a shard is released and has no runner", [](C& c) { c.held_.at(1).phase = Phase::kReleased; }, ""},
      {"shard 2 of two",
       [](C& c) {
         c.held_.insert({2, {1, kSecond, Phase::kGained}});
       },
       "a held shard does not exist in the outbox"},
      {"shard 2 of two, while the relay stops",
       [](C& c) {
         c.held_.insert({2, {1, kSecond, Phase::kGained}}), c.stopping_ = true;
       },
       ""},
      // ---- shards to begin ----
      {"shard 1 is to begin", [](C& c) { c.to_begin_ = {1}; }, ""},
      {"a shard is to begin that is not held", [](C& c) { c.to_begin_ = {5}; },
       "a shard that is to begin is not in the phase kGained"},
      {"a shard is to begin that runs", [](C& c) { c.to_begin_ = {0}; },
       "a shard that is to begin is not in the phase kGained"},
      {"a shard is to begin while the relay stops", [](C& c) { c.to_begin_ = {1}, c.stopping_ = true; },
       "a shard is to begin while the relay stops"},
      {"a query about a shard", [](C& c) { c.to_begin_ = {1}, c.call_ = Call::kWasLost; }, ""},
      {"a query about no shard", [](C& c) { c.call_ = Call::kWasLost; },
       "a call is under way for a shard that is not to begin"},
      {"a runner is made for no shard", [](C& c) { c.call_ = Call::kMakeRunner; },
       "a call is under way for a shard that is not to begin"},
      {"a query is answered after the stop", [](C& c) { c.call_ = Call::kWasLost, c.stopping_ = true; }, ""},
      {"a heartbeat is about no shard", [](C& c) { c.call_ = Call::kHeartbeat; }, ""},
      // ---- stopped shards ----
      {"shard 0 has stopped", [](C& c) { c.stopped_ = {0}, c.stopping_ = true; }, ""},
      {"a stopped shard has no runner", [](C& c) { c.stopped_ = {1}, c.stopping_ = true; },
       "a stopped shard has no runner"},
      {"a shard has stopped while the relay runs", [](C& c) { c.stopped_ = {0}; },
       "a shard has stopped while the relay runs"},
      // ---- the heartbeat ----
      {"no heartbeat is due", [](C& c) { c.next_beat_ = kForever; }, "no heartbeat is due"},
      {"none is due during a call", [](C& c) { c.next_beat_ = kForever, c.call_ = Call::kHandOver; }, ""},
      {"none is due, and the relay stops",
       [](C& c) { c.next_beat_ = kForever, c.stopping_ = true, c.stop_by_ = kSecond; }, ""},
      // ---- the first step ----
      {"the first step of shard 0",
       [](C& c) {
         c.first_steps_ = {0, 7};
       },
       ""},
      {"the first step of a shard that is not held",
       [](C& c) {
         c.first_steps_ = {5, 7};
       },
       "the shard in its first steps is not held"},
      {"the first step of an earlier lease",
       [](C& c) {
         c.first_steps_ = {0, 6};
       },
       "the shard in its first steps is not held"},
      {"the first step of a shard that is gained",
       [](C& c) {
         c.first_steps_ = {1, 4};
       },
       "the shard in its first steps was not begun"},
      {"and whose runner is being made",
       [](C& c) {
         c.first_steps_ = {1, 4}, c.to_begin_ = {1}, c.call_ = Call::kMakeRunner, c.making_ = {1, true};
       },
       ""},
      {"while the runner of another one is being made",
       [](C& c) {
         c.first_steps_ = {1, 4}, c.to_begin_ = {1}, c.call_ = Call::kMakeRunner, c.making_ = {0, true};
       },
       "the shard in its first steps was not begun"},
      {"while the query is under way",
       [](C& c) {
         c.first_steps_ = {1, 4}, c.to_begin_ = {1}, c.call_ = Call::kWasLost, c.making_ = {1, true};
       },
       "the shard in its first steps was not begun"},
      {"the first step of a shard that was released",
       [](C& c) {
         c.first_steps_ = {1, 4}, c.held_.at(1).phase = Phase::kReleased;
       },
       "the shard in its first steps was released"},
      {"the first step of a shard that is handed over",
       [](C& c) {
         c.first_steps_ = {0, 7}, c.held_.at(0).phase = Phase::kHandingOver;
       },
       ""},
  };
}

namespace {

TEST_CASE("the coordinator's check finds each broken invariant") {
  for (const CoordinatorProbe::Row& row : CoordinatorProbe::Rows()) {
    INFO(row.what);
    ShardCoordinator coordinator({.lease = 10 * kSecond, .poll_interval = kSecond});
    CoordinatorProbe::Prepare(coordinator);
    row.set(coordinator);
    CHECK(coordinator.CheckInvariants() == row.broken);
  }
  ShardCoordinator without({.lease = 10 * kSecond, .poll_interval = kSecond, .has_leases = false});
  without.Start();
  CHECK(without.NextDeadline() == kForever);
  CHECK(without.CheckInvariants() == "");
}

}  // namespace
}  // namespace outbox::engine
