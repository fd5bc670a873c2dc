// Tests the successive leases of a shard: every input in every state.
#include "engine/shard_lease.hpp"

#include <array>

#include "engine_script.hpp"

namespace outbox::engine {
namespace {

struct LeaseScript {
  ShardLease lease;
  std::uint32_t outstanding = 0;

  std::string Do(Words& words) {
    if (words.Is("outstanding")) {
      outstanding = static_cast<std::uint32_t>(words.Number());
      return "";
    }
    if (words.Is("waits")) return lease.Waits(words.Number()) ? "yes" : "no";
    if (words.Is("wound-up")) {
      const std::string released = Released(lease.Drained());
      return "released " + released + ": " + State();
    }
    ShardLease::Effect effect{};
    if (words.Is("hold")) {
      const auto token = static_cast<std::uint64_t>(words.Number());
      const Time until = words.Number();
      effect = lease.Hold(token, until, words.Is("slow"));
    } else if (words.Is("hand-over")) {
      const auto token = static_cast<std::uint64_t>(words.Number());
      effect = lease.HandOver(token, words.Number());
    } else if (words.Is("lose")) {
      effect = lease.Lose(words.Is("by-storage"));
    } else if (words.Is("stop")) {
      effect = lease.Stop(words.Number());
    } else if (words.Is("begin-waiting")) {
      effect = lease.BeginWaiting();
    }
    static constexpr std::array<const char*, 5> kEffects = {"none", "begins", "drains", "ends", "released"};
    std::string text = kEffects[static_cast<std::size_t>(effect)];
    if (effect == ShardLease::Effect::kReleased) text += ' ' + Released(lease.released());
    return text + ": " + State();
  }
  [[nodiscard]] std::string Broken() const { return lease.FindBrokenInvariant(outstanding); }

  static std::string Released(const command::Released& released) {
    static constexpr std::array<const char*, 3> kReasons = {" lost", " hand-over", " stop"};
    return std::to_string(released.token) + kReasons[static_cast<std::size_t>(released.reason)];
  }
  [[nodiscard]] std::string State() const {
    std::string text = std::string(TransitionCounts<LeaseState>::NameOf(lease.state().state())) + ' ' +
                       std::to_string(lease.token()) + " until " + Text(lease.until());
    if (lease.drain_by() != kForever) text += " drain by " + Text(lease.drain_by());
    if (lease.slow_start()) text += lease.renewed() ? " slow again" : " slow";
    return text;
  }
};

const Line kHold7{"hold 7 100", "begins: holding 7 until 100"};
const Line kHandOver7{"hand-over 7 150", "drains: handing over 7 until 150 drain by 150"};
const Line kLose7{"lose", "ends: lost 7 until 100"};
const Line kStop7{"stop 90", "drains: stopping 7 until 100 drain by 90"};
const Line kStopLost7{"stop 90", "none: lost at stop 7 until 100 drain by 90"};

TEST_CASE("in standby a lease begins, and there is nothing to release") {
  Play<LeaseScript>({
      {"a lease", {kHold7}},
      {"a lease of a storage without leases", {{"hold 0 ever", "begins: holding 0 until ever"}}},
      {"an owner that let its lease end", {{"hold 7 100 slow", "begins: holding 7 until 100 slow"}}},
      {"a hand-over", {{"hand-over 7 150", "released 7 hand-over: standby 0 until 0"}}},
      {"a loss by the clock", {{"lose", "none: standby 0 until 0"}}},
      {"a loss by the storage", {{"lose by-storage", "none: standby 0 until 0"}}},
      {"a stop",
       {{"stop 90", "released 0 stop: stopped 0 until 0"},
        {"hold 7 100", "none: stopped 0 until 0"},
        {"hand-over 7 150", "none: stopped 0 until 0"},
        {"lose by-storage", "none: stopped 0 until 0"},
        {"stop 95", "none: stopped 0 until 0"},
        {"waits 0", "no"}}},
      {"outstanding events", {{"outstanding 1", " !! shard lease: events are outstanding without a lease"}}},
      {"outstanding events after the stop",
       {{"stop 90", "released 0 stop: stopped 0 until 0"},
        {"outstanding 1", " !! shard lease: events are outstanding without a lease"}}},
  });
}

TEST_CASE("a shard that is held is renewed, handed over, stopped or lost") {
  Play<LeaseScript>({
      {"a renewal", {kHold7, {"outstanding 5", ""}, {"hold 7 200", "none: holding 7 until 200"}}},
      {"a renewal of a slow start says nothing about it",
       {{"hold 7 100 slow", "begins: holding 7 until 100 slow"}, {"hold 7 200", "none: holding 7 until 200 slow"}}},
      {"a renewal under a slow start that began as none", {kHold7, {"hold 7 200 slow", "none: holding 7 until 200"}}},
      {"another token: it waits until this one is wound up",
       {kHold7,
        {"hold 8 200", "ends: lost 7 until 100"},
        {"waits 0", "no"},
        {"wound-up", "released 7 lost: standby 7 until 100"},
        {"waits 199", "yes"},
        {"waits 200", "no"},
        {"begin-waiting", "begins: holding 8 until 200"},
        {"lose", "ends: lost 8 until 200"},
        {"wound-up", "released 8 lost: standby 8 until 200"},
        {"waits 0", "no"}}},
      {"a hand-over of another token", {kHold7, {"hand-over 8 150", "none: holding 7 until 100"}}},
      {"a hand-over",
       {kHold7,
        kHandOver7,
        {"outstanding 3", ""},
        {"outstanding 0", ""},
        {"wound-up", "released 7 hand-over: standby 7 until 150 drain by 150"},
        {"waits 0", "no"},
        {"hold 9 300", "begins: holding 9 until 300"}}},
      {"a stop", {kHold7, kStop7, {"wound-up", "released 7 stop: stopped 7 until 100 drain by 90"}}},
      {"a loss by the clock", {kHold7, kLose7, {"wound-up", "released 7 lost: standby 7 until 100"}}},
      {"a loss by the storage",
       {kHold7, {"lose by-storage", "ends: lost 7 until 100"}, {"wound-up", "released 7 lost: standby 7 until 100"}}},
  });
}

TEST_CASE("a shard that is handed over is renewed, stopped, lost or gained again") {
  Play<LeaseScript>({
      {"a renewal: the deadline of the drain stays",
       {kHold7, kHandOver7, {"hold 7 170", "none: handing over 7 until 170 drain by 150"}}},
      {"a second hand-over renews",
       {kHold7, kHandOver7, {"hand-over 7 180", "none: handing over 7 until 180 drain by 150"}}},
      {"a second hand-over of another token does not",
       {kHold7, kHandOver7, {"hand-over 8 180", "none: handing over 7 until 150 drain by 150"}}},
      {"a stop: released for good",
       {kHold7,
        kHandOver7,
        {"stop 90", "drains: stopping 7 until 150 drain by 90"},
        {"wound-up", "released 7 stop: stopped 7 until 150 drain by 90"}}},
      {"a loss by the clock: the storage may still name this relay, so it is handed over",
       {kHold7,
        kHandOver7,
        {"lose", "ends: lost 7 until 150 drain by 150"},
        {"wound-up", "released 7 hand-over: standby 7 until 150 drain by 150"},
        {"hold 7 200", "begins: holding 7 until 200"},
        {"lose", "ends: lost 7 until 200"},
        {"wound-up", "released 7 lost: standby 7 until 200"}}},
      {"a loss by the storage: there is nothing to hand over",
       {kHold7,
        kHandOver7,
        {"lose by-storage", "ends: lost 7 until 150 drain by 150"},
        {"wound-up", "released 7 lost: standby 7 until 150 drain by 150"}}},
      {"a loss by the clock, and then by the storage",
       {kHold7,
        kHandOver7,
        {"lose", "ends: lost 7 until 150 drain by 150"},
        {"lose by-storage", "none: lost 7 until 150 drain by 150"},
        {"wound-up", "released 7 lost: standby 7 until 150 drain by 150"}}},
      {"another token: a new lease, and no hand-over",
       {kHold7,
        kHandOver7,
        {"hold 8 200", "ends: lost 7 until 150 drain by 150"},
        {"wound-up", "released 7 lost: standby 7 until 150 drain by 150"},
        {"begin-waiting", "begins: holding 8 until 200"}}},
  });
}

TEST_CASE("a lost lease is ended before anything else begins") {
  Play<LeaseScript>({
      {"the same token: it is not renewed while it is wound up",
       {kHold7,
        kLose7,
        {"hold 7 200", "none: lost 7 until 100"},
        {"wound-up", "released 7 lost: standby 7 until 100"},
        {"waits 0", "no"},
        {"hold 7 300", "begins: holding 7 until 300"}}},
      {"another token waits; its renewal and its slow start are kept",
       {kHold7,
        kLose7,
        {"hold 8 200 slow", "none: lost 7 until 100"},
        {"hold 8 250", "none: lost 7 until 100"},
        {"wound-up", "released 7 lost: standby 7 until 100"},
        {"waits 249", "yes"},
        {"waits 250", "no"},
        {"begin-waiting", "begins: holding 8 until 250 slow"}}},
      {"the renewal of one that is not slow says nothing of a slow start",
       {kHold7,
        kLose7,
        {"hold 8 200", "none: lost 7 until 100"},
        {"hold 8 250", "none: lost 7 until 100"},
        {"wound-up", "released 7 lost: standby 7 until 100"},
        {"begin-waiting", "begins: holding 8 until 250"}}},
      {"a third token takes the place of the second, and begins as it was gained",
       {kHold7,
        kLose7,
        {"hold 8 200 slow", "none: lost 7 until 100"},
        {"hold 9 250", "none: lost 7 until 100"},
        {"wound-up", "released 7 lost: standby 7 until 100"},
        {"begin-waiting", "begins: holding 9 until 250"}}},
      {"a waiting lease that is lost by the storage",
       {kHold7,
        kLose7,
        {"hold 8 200", "none: lost 7 until 100"},
        {"lose by-storage", "none: lost 7 until 100"},
        {"wound-up", "released 7 lost: standby 7 until 100"},
        {"waits 0", "no"}}},
      {"a waiting lease that the clock does not end",
       {kHold7,
        kLose7,
        {"hold 8 200", "none: lost 7 until 100"},
        {"lose", "none: lost 7 until 100"},
        {"wound-up", "released 7 lost: standby 7 until 100"},
        {"waits 0", "yes"}}},
      {"a waiting lease that is handed over in standby",
       {kHold7,
        kLose7,
        {"hold 8 200", "none: lost 7 until 100"},
        {"wound-up", "released 7 lost: standby 7 until 100"},
        {"hand-over 8 210", "released 8 hand-over: standby 7 until 100"},
        {"waits 0", "no"}}},
      {"a hand-over while it is wound up",
       {kHold7,
        kLose7,
        {"hand-over 7 150", "none: lost 7 until 100"},
        {"wound-up", "released 7 hand-over: standby 7 until 100"}}},
      {"a hand-over of another token while it is wound up",
       {kHold7,
        kLose7,
        {"hand-over 8 150", "none: lost 7 until 100"},
        {"wound-up", "released 7 lost: standby 7 until 100"}}},
      {"a hand-over, and then another token",
       {kHold7,
        kLose7,
        {"hand-over 7 150", "none: lost 7 until 100"},
        {"hold 8 200", "none: lost 7 until 100"},
        {"wound-up", "released 7 lost: standby 7 until 100"}}},
      {"a stop: what waits does not begin",
       {kHold7,
        kLose7,
        {"hold 8 200", "none: lost 7 until 100"},
        kStopLost7,
        {"wound-up", "released 7 stop: stopped 7 until 100 drain by 90"},
        {"waits 0", "no"}}},
      {"a stop in standby: what waits does not begin",
       {kHold7,
        kLose7,
        {"hold 8 200", "none: lost 7 until 100"},
        {"wound-up", "released 7 lost: standby 7 until 100"},
        {"stop 90", "released 7 stop: stopped 7 until 100"},
        {"waits 0", "no"}}},
  });
}

TEST_CASE("a shard that stops is renewed and drained, and nothing begins any more") {
  Play<LeaseScript>({
      {"a renewal", {kHold7, kStop7, {"hold 7 200", "none: stopping 7 until 200 drain by 90"}}},
      {"another token", {kHold7, kStop7, {"hold 8 200", "none: stopping 7 until 100 drain by 90"}}},
      {"a hand-over", {kHold7, kStop7, {"hand-over 7 200", "none: stopping 7 until 100 drain by 90"}}},
      {"a second stop", {kHold7, kStop7, {"stop 80", "none: stopping 7 until 100 drain by 90"}}},
      {"a loss",
       {kHold7,
        kStop7,
        {"lose", "ends: lost at stop 7 until 100 drain by 90"},
        {"hold 7 200", "none: lost at stop 7 until 100 drain by 90"},
        {"hold 8 200", "none: lost at stop 7 until 100 drain by 90"},
        {"hand-over 7 200", "none: lost at stop 7 until 100 drain by 90"},
        {"lose by-storage", "none: lost at stop 7 until 100 drain by 90"},
        {"stop 80", "none: lost at stop 7 until 100 drain by 90"},
        {"wound-up", "released 7 stop: stopped 7 until 100 drain by 90"},
        {"waits 0", "no"}}},
      {"a loss by the storage", {kHold7, kStop7, {"lose by-storage", "ends: lost at stop 7 until 100 drain by 90"}}},
  });
}

TEST_CASE("a slow start belongs to its token, even if the same token is gained again") {
  Play<LeaseScript>({
      {"the same token",
       {{"hold 7 100 slow", "begins: holding 7 until 100 slow"},
        {"lose", "ends: lost 7 until 100 slow"},
        {"wound-up", "released 7 lost: standby 7 until 100 slow"},
        {"hold 7 200", "begins: holding 7 until 200 slow again"}}},
      {"another token",
       {{"hold 7 100 slow", "begins: holding 7 until 100 slow"},
        {"lose", "ends: lost 7 until 100 slow"},
        {"wound-up", "released 7 lost: standby 7 until 100 slow"},
        {"hold 8 200", "begins: holding 8 until 200"}}},
      {"the same token that began without",
       {kHold7,
        kLose7,
        {"wound-up", "released 7 lost: standby 7 until 100"},
        {"hold 7 200", "begins: holding 7 until 200"}}},
  });
}

// Checks for each state whether the shard's lease is owned, lost, valid, draining or ending.
TEST_CASE("a state decides whether the shard is owned, drained or ending") {
  struct Row {
    std::vector<std::string> lines;
    bool owner, lost, valid, draining, winds_up;
  };
  const std::vector<Row> rows = {
      {{}, false, false, false, false, false},
      {{"hold 7 100"}, true, false, true, false, false},
      {{"hold 7 100", "hand-over 7 150"}, false, false, true, true, true},
      {{"hold 7 100", "stop 90"}, false, false, true, true, true},
      {{"hold 7 100", "lose"}, false, true, false, false, true},
      {{"hold 7 100", "lose", "stop 90"}, false, true, false, false, true},
      {{"stop 90"}, false, false, false, false, false},
  };
  for (const Row& row : rows) {
    LeaseScript script;
    for (const std::string& line : row.lines) {
      Words words(line);
      (void)script.Do(words);
    }
    INFO(script.State());
    CHECK(script.lease.IsOwner() == row.owner);
    CHECK(script.lease.IsLost() == row.lost);
    CHECK(script.lease.IsValid() == row.valid);
    CHECK(script.lease.IsDraining() == row.draining);
    CHECK(script.lease.IsEnding() == row.winds_up);
    CHECK(script.lease.CanEnd());
  }
  ShardLease lease;
  (void)lease.Hold(0, kForever, false);
  CHECK_FALSE(lease.CanEnd());
}

// The tests above take all transitions of the chart, spread over many scripts. This test takes all of them in four
// short scripts, and checks that they are exactly the transitions of the chart.
TEST_CASE("each transition of the chart of leases can be taken") {
  TransitionCounts<LeaseState> taken;
  for (const std::vector<std::string>& lines : std::vector<std::vector<std::string>>{
           {"hold 7 100", "hand-over 7 150", "wound-up", "stop 1"},
           {"hold 7 100", "hand-over 7 150", "stop 1", "lose", "wound-up"},
           {"hold 7 100", "hand-over 7 150", "lose", "wound-up", "hold 7 200", "stop 1", "wound-up"},
           {"hold 7 100", "lose", "stop 1"}}) {
    LeaseScript script;
    for (const std::string& line : lines) {
      Words words(line);
      (void)script.Do(words);
      CHECK(script.Broken().empty());
    }
    script.lease.state().counts().Each([&](LeaseState from, LeaseState to, std::uint64_t) { taken.Count(from, to); });
  }
  std::size_t transitions = 0;
  taken.Each([&](LeaseState, LeaseState, std::uint64_t) { ++transitions; });
  CHECK(taken.FindUnknown().empty());
  CHECK(transitions == std::size(Chart<LeaseState>::kTransitions));
}

// Checks that a transition that is not in the chart is detected: a lease that begins after the shard has stopped.
TEST_CASE("a broken lease is found") {
  Play<LeaseScript>({
      {"a lease that begins after the end",
       {{"stop 90", "released 0 stop: stopped 0 until 0"},
        {"begin-waiting", "begins: holding 0 until 0 !! shard lease: stopped -> holding is no transition"}}},
  });
}

}  // namespace
}  // namespace outbox::engine
