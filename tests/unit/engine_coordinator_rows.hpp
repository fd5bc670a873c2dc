// Table tests of the shard coordinator. Each step consists of an input and, as text, the commands that must follow
// from it.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "engine/shard_coordinator.hpp"
#include "tests/catch.hpp"

namespace outbox::engine::coordinator_rows {

inline constexpr Time kLease = 10 * kSecond, kPoll = 250 * kMillisecond;
using Coordinator = ShardCoordinator;

inline std::string Name(ReleaseReason reason) {
  return reason == ReleaseReason::kLost ? "lost" : reason == ReleaseReason::kHandOver ? "hand-over" : "stop";
}

// Formats a command as text, such as "hold 1/7 until 10": shard 1, token 7, until second 10.
struct Namer {
  static double Seconds(Time t) { return static_cast<double>(t) / kSecond; }
  std::string operator()(const shards::Heartbeat&) const { return "heartbeat"; }
  std::string operator()(const shards::AskWasLost& c) const { return fmt::format("ask {}/{}", c.shard, c.token); }
  std::string operator()(const shards::MakeRunner& c) const {
    return fmt::format("make {} of {}", c.shard, c.shards_total);
  }
  std::string operator()(const shards::ReleaseShards& c) const {
    std::string text = c.deregister ? "leave" : "return";
    const std::uint32_t state = c.deregister ? OUTBOX_SHARD_OWNED : OUTBOX_SHARD_RELEASE;
    for (const outbox_owned_shard& s : c.shards)
      text += fmt::format(" {}/{}{}", s.shard, s.token, s.state == state ? "" : " in another state");
    return c.timeout == kForever ? text : text + fmt::format(" in {}", Seconds(c.timeout));
  }
  std::string operator()(const shards::Hold& c) const {
    const std::string text = fmt::format("hold {}/{}", c.shard, c.token);
    const std::string until = c.until == kForever ? " forever" : fmt::format(" until {}", Seconds(c.until));
    return text + until + (c.slow_start ? " slowly" : "");
  }
  std::string operator()(const shards::Release& c) const {
    const std::string text = fmt::format("release {}/{} {}", c.shard, c.token, Name(c.reason));
    return c.reason == ReleaseReason::kLost && c.until == 0 ? text : text + fmt::format(" until {}", Seconds(c.until));
  }
  std::string operator()(const shards::RemoveRunner& c) const { return fmt::format("remove {}", c.shard); }
  std::string operator()(const shards::RemoveAllRunners&) const { return "remove all"; }
  std::string operator()(const shards::CannotStart&) const { return "cannot start"; }
  std::string operator()(const shards::Left& c) const { return c.complete ? "left" : "left incomplete"; }
  std::string operator()(const shards::Delivering& c) const {
    return fmt::format("delivering {}/{}{}", c.shard, c.token, c.slow_start ? " slowly" : "");
  }
  std::string operator()(const shards::HandingOver& c) const { return fmt::format("handing over {}", c.shard); }
  std::string operator()(const shards::LeaseLost& c) const { return fmt::format("lost {}", c.shard); }
  std::string operator()(const shards::Standby& c) const {
    return c.namesakes > 0 ? "standby behind a namesake" : "standby";
  }
  std::string operator()(const shards::NamesakeRuns&) const { return "namesake"; }
  std::string operator()(const shards::LeftToLease&) const { return "left to its lease"; }
};

struct Rig {
  Coordinator coordinator;
  Time now = 0;
};

using Input = std::function<void(Rig&)>;
struct Step {
  Input when;
  std::string then;
};
struct Row {
  const char* name;
  std::vector<Step> steps;
  bool has_leases = true;
  Time lease = 10 * kSecond;
};

// ---- inputs ----

inline Input Start() {
  return [](Rig& r) { r.coordinator.Start(); };
}
// Returns an input that lets `time` pass.
inline Input Pass(Time time) {
  return [time](Rig& r) { r.coordinator.Advance(r.now += time); };
}
// Returns an input that advances to the coordinator's next deadline. The time does not change if the deadline is
// already due or if there is none.
inline Input Wait() {
  return [](Rig& r) {
    if (r.coordinator.NextDeadline() < kForever) r.coordinator.Advance(r.now = r.coordinator.NextDeadline());
  };
}
struct Owned {
  std::uint32_t shard;
  std::uint64_t token;
  bool leaving = false;
};
struct Others {
  std::uint32_t live = 1, namesakes = 0;
};
inline Input Answer(std::uint32_t total, const std::vector<Owned>& owned, Others others = {}) {
  return [=](Rig& r) {
    Lease lease;
    lease.shards_total = total;
    lease.live_relays = others.live;
    lease.namesakes = others.namesakes;
    lease.left = std::chrono::duration_cast<Millis>(std::chrono::microseconds(kLease));
    for (const Owned& o : owned)
      lease.owned.push_back({o.shard, o.leaving ? OUTBOX_SHARD_RELEASE : OUTBOX_SHARD_OWNED, o.token});
    r.coordinator.HeartbeatAnswered(OUTBOX_OK, lease);
  };
}
inline Input NoAnswer(outbox_code code = OUTBOX_TIMEOUT) {
  return [code](Rig& r) { r.coordinator.HeartbeatAnswered(code, {}); };
}
inline Input WasLost(bool lost, outbox_code code = OUTBOX_OK) {
  return [=](Rig& r) { r.coordinator.WasLostAnswered(code, lost); };
}
inline Input Made(bool made = true) {
  return [made](Rig& r) { r.coordinator.RunnerMade(made); };
}
inline Input Returned(outbox_code code = OUTBOX_OK) {
  return [code](Rig& r) { r.coordinator.ShardsReleased(code); };
}
inline Input Released(std::uint32_t shard, std::uint64_t token, ReleaseReason reason = ReleaseReason::kHandOver) {
  return [=](Rig& r) { r.coordinator.Released(shard, token, reason); };
}
inline Input Stopped(std::uint32_t shard) { return Released(shard, 0, ReleaseReason::kStop); }
inline Input StepOver(std::uint32_t shard, std::uint64_t token) {
  return [=](Rig& r) { r.coordinator.FirstStepsOver(shard, token); };
}
inline Input Stop(Time in) {
  return [in](Rig& r) { r.coordinator.Stop(r.now + in); };
}

// ---- rows ----

using Steps = std::vector<Step>;
inline Steps operator+(Steps first, const Steps& then) {
  first.insert(first.end(), then.begin(), then.end());
  return first;
}

inline std::string Names(const std::vector<shards::Command>& commands) {
  std::string names;
  for (const shards::Command& command : commands) names += (names.empty() ? "" : ", ") + std::visit(Namer(), command);
  return names;
}

// Checks that, without further input, the coordinator gives no command before its next deadline and at least one at
// it. Works on a copy of the coordinator.
inline void CheckDeadline(Coordinator coordinator) {
  const Time deadline = coordinator.NextDeadline();
  coordinator.Advance(std::min(deadline, 1000 * kSecond) - 1);
  CHECK(Names(coordinator.TakeCommands()) == "");
  if (deadline >= kForever) return;
  CHECK(coordinator.NextDeadline() == deadline);
  coordinator.Advance(deadline);
  CHECK(Names(coordinator.TakeCommands()) != "");
  CHECK(coordinator.CheckInvariants() == "");
}

// Runs each row with a new coordinator, and compares the commands with the expected ones after each step.
inline void Play(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    Rig rig{Coordinator({.lease = row.lease, .poll_interval = kPoll, .has_leases = row.has_leases})};
    for (std::size_t i = 0; i < row.steps.size(); ++i) {
      INFO(row.name << ", step " << i + 1);
      rig.coordinator.Advance(rig.now);
      row.steps[i].when(rig);
      CHECK(Names(rig.coordinator.TakeCommands()) == row.steps[i].then);
      CHECK(rig.coordinator.CheckInvariants() == "");
      if (rig.coordinator.NextDeadline() > rig.now) CheckDeadline(rig.coordinator);
    }
  }
}

// Steps after which the only shard, shard 0, is held under token 7 at full speed.
inline const Steps kRunning = {
    {Start(), "heartbeat"}, {Answer(1, {{0, 7}}), "ask 0/7"}, {WasLost(false), "delivering 0/7, hold 0/7 until 10"}};
// Steps after which both shards, 0 and 1, are held at full speed.
inline const Steps kRunningTwo = {
    {Start(), "heartbeat"},          {Answer(2, {{0, 7}, {1, 4}}), "remove all, ask 0/7"},
    {WasLost(false), "make 0 of 2"}, {Made(), "delivering 0/7, hold 0/7 until 10, ask 1/4"},
    {WasLost(false), "make 1 of 2"}, {Made(), "delivering 1/4, hold 1/4 until 10"}};
// Steps after which both shards are held and both were lost by their previous owners: shard 0 is in its first steps,
// and shard 1 waits.
inline const Steps kSlowly = {{Start(), "heartbeat"},
                              {Answer(2, {{0, 7}, {1, 4}}), "remove all, ask 0/7"},
                              {WasLost(true), "make 0 of 2"},
                              {Made(), "delivering 0/7 slowly, hold 0/7 until 10 slowly, ask 1/4"},
                              {WasLost(true), ""}};

}  // namespace outbox::engine::coordinator_rows
