// What the coordinator decides, row by row: each step is an input and the commands that follow from it.
#include "engine/shard_coordinator.hpp"

#include <fmt/format.h>

#include <functional>

#include "tests/catch.hpp"

namespace outbox::engine {
namespace {

constexpr Time kLease = 10 * kSecond, kPoll = 250 * kMillisecond;
using Coordinator = ShardCoordinator;

std::string Name(ReleaseReason reason) {
  return reason == ReleaseReason::kLost ? "lost" : reason == ReleaseReason::kHandOver ? "hand-over" : "stop";
}

// As "hold 1/7 until 10": shard, token, seconds.
struct Namer {
  static double Seconds(Time t) { return static_cast<double>(t) / kSecond; }
  std::string operator()(const shards::Heartbeat&) const { return "heartbeat"; }
  std::string operator()(const shards::AskWasLost& c) const { return fmt::format("ask {}/{}", c.shard, c.token); }
  std::string operator()(const shards::MakeRunner& c) const {
    return fmt::format("make {} of {}", c.shard, c.shards_total);
  }
  std::string operator()(const shards::ReleaseShards& c) const {
    std::string text = c.deregister ? "leave" : "return";
    for (const outbox_owned_shard& s : c.shards) text += fmt::format(" {}/{}", s.shard, s.token);
    return c.timeout == kForever ? text : text + fmt::format(" in {}", Seconds(c.timeout));
  }
  std::string operator()(const shards::Hold& c) const {
    const std::string text = fmt::format("hold {}/{}", c.shard, c.token);
    if (c.until == kForever) return text + " for ever";
    return text + fmt::format(" until {}{}", Seconds(c.until), c.slow_start ? " slowly" : "");
  }
  std::string operator()(const shards::Release& c) const {
    const std::string text = fmt::format("release {}/{} {}", c.shard, c.token, Name(c.reason));
    return c.reason == ReleaseReason::kLost ? text : text + fmt::format(" until {}", Seconds(c.until));
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
};

// ---- inputs ----

Input Start() {
  return [](Rig& r) { r.coordinator.Start(); };
}
// So much time passes.
Input Pass(Time time) {
  return [time](Rig& r) { r.coordinator.Advance(r.now += time); };
}
// Until the coordinator is due: at once, if it has become so by the step before.
Input Wait() {
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
Input Answer(std::uint32_t total, const std::vector<Owned>& owned, Others others = {}) {
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
Input NoAnswer(outbox_code code = OUTBOX_TIMEOUT) {
  return [code](Rig& r) { r.coordinator.HeartbeatAnswered(code, {}); };
}
Input WasLost(bool lost, outbox_code code = OUTBOX_OK) {
  return [=](Rig& r) { r.coordinator.WasLostAnswered(code, lost); };
}
Input Made(bool made = true) {
  return [made](Rig& r) { r.coordinator.RunnerMade(made); };
}
Input Returned(outbox_code code = OUTBOX_OK) {
  return [code](Rig& r) { r.coordinator.ShardsReleased(code); };
}
Input Released(std::uint32_t shard, std::uint64_t token, ReleaseReason reason = ReleaseReason::kHandOver) {
  return [=](Rig& r) { r.coordinator.Released(shard, token, reason); };
}
Input Stopped(std::uint32_t shard) { return Released(shard, 0, ReleaseReason::kStop); }
Input StepOver(std::uint32_t shard, std::uint64_t token) {
  return [=](Rig& r) { r.coordinator.FirstStepOver(shard, token); };
}
Input Stop(Time in) {
  return [in](Rig& r) { r.coordinator.Stop(r.now + in); };
}

// ---- the table ----

using Steps = std::vector<Step>;
Steps operator+(Steps first, const Steps& then) {
  first.insert(first.end(), then.begin(), then.end());
  return first;
}

// Shard 0 of one, held under token 7 at full speed.
const Steps kRunning = {
    {Start(), "heartbeat"}, {Answer(1, {{0, 7}}), "ask 0/7"}, {WasLost(false), "delivering 0/7, hold 0/7 until 10"}};
// Shards 0 and 1 of two.
const Steps kRunningTwo = {{Start(), "heartbeat"},          {Answer(2, {{0, 7}, {1, 4}}), "remove all, ask 0/7"},
                           {WasLost(false), "make 0 of 2"}, {Made(), "delivering 0/7, hold 0/7 until 10, ask 1/4"},
                           {WasLost(false), "make 1 of 2"}, {Made(), "delivering 1/4, hold 1/4 until 10"}};
// Likewise, where both were lost by their owner before: shard 0 is in its first step, and shard 1 waits.
const Steps kSlowly = {{Start(), "heartbeat"},
                       {Answer(2, {{0, 7}, {1, 4}}), "remove all, ask 0/7"},
                       {WasLost(true), "make 0 of 2"},
                       {Made(), "delivering 0/7 slowly, hold 0/7 until 10 slowly, ask 1/4"},
                       {WasLost(true), ""}};

const std::vector<Row> kTable = {
    // ---- the heartbeat ----
    {"the lease is counted from the question, not from the answer",
     {{Start(), "heartbeat"},
      {Pass(3 * kSecond), ""},
      {Answer(1, {{0, 7}}), "ask 0/7"},
      {WasLost(false), "delivering 0/7, hold 0/7 until 10"}}},
    {"who has its share renews after a fifth of the lease",
     kRunning + Steps{{Pass(2 * kSecond - 1), ""}, {Pass(1), "heartbeat"}, {Answer(1, {{0, 7}}), "hold 0/7 until 12"}}},
    {"who shares the shards notices within half a second that another relay is gone",
     kRunningTwo + Steps{{Pass(kSecond / 2 - 1), ""}, {Pass(1), "heartbeat"}}},
    {"who waits for a shard polls",
     {{Start(), "heartbeat"}, {Answer(1, {}, {.live = 2}), "standby"}, {Pass(kPoll - 1), ""}, {Pass(1), "heartbeat"}}},
    {"a heartbeat that failed is repeated after a pause that doubles", kRunning + Steps{{Wait(), "heartbeat"},
                                                                                        {NoAnswer(), ""},
                                                                                        {Pass(kPoll), "heartbeat"},
                                                                                        {NoAnswer(), ""},
                                                                                        {Pass(2 * kPoll - 1), ""},
                                                                                        {Pass(1), "heartbeat"}}},
    {"a database that is set up wrongly ends a relay that has never been in contact with it",
     {{Start(), "heartbeat"}, {NoAnswer(OUTBOX_BAD_CONFIG), "cannot start"}}},
    {"later it is waited for", kRunning + Steps{{Wait(), "heartbeat"}, {NoAnswer(OUTBOX_BAD_CONFIG), ""}}},
    {"a standby is reported once, and again after it has held a shard",
     kRunning + Steps{{Wait(), "heartbeat"},
                      {Answer(1, {}, {.live = 2}), "lost 0, release 0/7 lost, standby"},
                      {Wait(), "heartbeat"},
                      {Answer(1, {}, {.live = 2}), ""}}},
    {"a namesake is reported once, when it has been there for longer than a lease",
     {{Start(), "heartbeat"},
      {Answer(1, {}, {.live = 2, .namesakes = 1}), "standby behind a namesake"},
      {Pass(kLease), "heartbeat"},
      {Answer(1, {}, {.live = 2, .namesakes = 1}), ""},
      {Pass(kPoll), "heartbeat"},
      {Answer(1, {}, {.live = 2, .namesakes = 1}), "namesake"},
      {Pass(kPoll), "heartbeat"},
      {Answer(1, {}, {.live = 2, .namesakes = 1}), ""}}},

    // ---- beginning shards ----
    {"in doubt the owner before has lost the shard",
     {{Start(), "heartbeat"},
      {Answer(1, {{0, 7}}), "ask 0/7"},
      {WasLost(false, OUTBOX_TIMEOUT), "delivering 0/7 slowly, hold 0/7 until 10 slowly"}}},
    {"a store that cannot say has lost nothing",
     {{Start(), "heartbeat"},
      {Answer(1, {{0, 7}}), "ask 0/7"},
      {WasLost(false, OUTBOX_UNSUPPORTED), "delivering 0/7, hold 0/7 until 10"}}},
    {"first steps are taken one at a time",
     kSlowly + Steps{{Pass(kPoll), "heartbeat"},
                     {Answer(2, {{0, 7}, {1, 4}}), "hold 0/7 until 10.25, ask 1/4"},
                     {WasLost(true), ""},
                     {StepOver(0, 7), ""},
                     {Wait(), "heartbeat"},
                     {Answer(2, {{0, 7}, {1, 4}}), "hold 0/7 until 10.25, ask 1/4"},
                     {WasLost(true), "make 1 of 2"},
                     {Made(), "delivering 1/4 slowly, hold 1/4 until 10.25 slowly"}}},
    {"the first step of an earlier lease does not count",
     kSlowly + Steps{{StepOver(0, 6), ""}, {Pass(kPoll - 1), ""}, {Pass(1), "heartbeat"}}},
    {"a shard that is lost in its first step holds up no other",
     kSlowly + Steps{{Pass(kPoll), "heartbeat"},
                     {Answer(2, {{1, 4}}), "lost 0, release 0/7 lost, ask 1/4"},
                     {WasLost(true), "make 1 of 2"}}},
    {"a shard that is handed over in its first step holds up no other once it is released",
     kSlowly + Steps{{Pass(kPoll), "heartbeat"},
                     {Answer(2, {{0, 7, true}, {1, 4}}), "handing over 0, release 0/7 hand-over until 10.25, ask 1/4"},
                     {WasLost(true), ""},
                     {Released(0, 7), ""},
                     {Wait(), "return 0/7"},
                     {Returned(), "remove 0, heartbeat"},
                     {Answer(2, {{1, 4}}), "ask 1/4"},
                     {WasLost(true), "make 1 of 2"}}},
    {"a runner that cannot be made is tried again with the next heartbeat, and holds up no first step",
     {{Start(), "heartbeat"},
      {Answer(2, {{0, 7}, {1, 4}}), "remove all, ask 0/7"},
      {WasLost(true), "make 0 of 2"},
      {Made(false), "ask 1/4"},
      {WasLost(true), "make 1 of 2"},
      {Made(), "delivering 1/4 slowly, hold 1/4 until 10 slowly"},
      {StepOver(1, 4), ""},
      {Wait(), "heartbeat"},
      {Answer(2, {{0, 7}, {1, 4}}), "hold 1/4 until 10, ask 0/7"}}},
    {"a relay whose runner cannot be made is no standby",
     {{Start(), "heartbeat"},
      {Answer(2, {{0, 7}}), "remove all, ask 0/7"},
      {WasLost(false), "make 0 of 2"},
      {Made(false), ""},
      {Pass(kPoll), "heartbeat"}}},

    // ---- losing and handing over ----
    {"a shard that the answer does not name is lost",
     kRunningTwo + Steps{{Wait(), "heartbeat"},
                         {Answer(2, {{0, 7}}, {.live = 2}), "lost 1, release 1/4 lost, hold 0/7 until 10.5"}}},
    {"a shard that is held again under another token was lost in between",
     kRunning + Steps{{Wait(), "heartbeat"},
                      {Answer(1, {{0, 9}}), "lost 0, release 0/7 lost, ask 0/9"},
                      {WasLost(true), "delivering 0/9 slowly, hold 0/9 until 12 slowly"}}},
    {"a shard is returned when its runner has released it, and renewed until then",
     kRunningTwo +
         Steps{{Wait(), "heartbeat"},
               {Answer(2, {{0, 7}, {1, 4, true}}, {.live = 2}),
                "hold 0/7 until 10.5, handing over 1, release 1/4 hand-over until 10.5"},
               {Wait(), "heartbeat"},
               {Answer(2, {{0, 7}, {1, 4, true}}, {.live = 2}), "hold 0/7 until 11, release 1/4 hand-over until 11"},
               {Released(1, 4), ""},
               {Wait(), "return 1/4"},
               {Returned(), "remove 1, heartbeat"},
               {Answer(2, {{0, 7}}, {.live = 2}), "hold 0/7 until 11"}}},
    {"what was released under an earlier token is not returned",
     kRunningTwo + Steps{{Wait(), "heartbeat"},
                         {Answer(2, {{0, 7}, {1, 4, true}}, {.live = 2}),
                          "hold 0/7 until 10.5, handing over 1, release 1/4 hand-over until 10.5"},
                         {Released(1, 3), ""},
                         {Wait(), "heartbeat"}}},
    {"a shard that could not be returned is returned with a later heartbeat, not at once",
     kRunningTwo + Steps{{Wait(), "heartbeat"},
                         {Answer(2, {{0, 7}, {1, 4, true}}, {.live = 2}),
                          "hold 0/7 until 10.5, handing over 1, release 1/4 hand-over until 10.5"},
                         {Released(1, 4), ""},
                         {Wait(), "return 1/4"},
                         {Returned(OUTBOX_TIMEOUT), "heartbeat"},
                         {Answer(2, {{0, 7}, {1, 4, true}}, {.live = 2}), "hold 0/7 until 10.5"},
                         {Pass(kSecond / 2 - 1), ""},
                         {Pass(1), "return 1/4"}}},
    {"a shard that was not begun is returned as it is",
     kSlowly + Steps{{Pass(kPoll), "heartbeat"},
                     {Answer(2, {{0, 7}, {1, 4, true}}, {.live = 2}), "hold 0/7 until 10.25, handing over 1"},
                     {Wait(), "return 1/4"}}},

    // ---- another number of shards ----
    {"another number of shards makes all runners anew",
     kRunningTwo + Steps{{Wait(), "heartbeat"},
                         {Answer(3, {{2, 1}}, {.live = 3}), "remove all, ask 2/1"},
                         {WasLost(false), "make 2 of 3"},
                         {Made(), "delivering 2/1, hold 2/1 until 10.5"}}},
    {"what an old runner reports is of the past", kSlowly + Steps{{Pass(kPoll), "heartbeat"},
                                                                  {Answer(3, {{0, 8}}), "remove all, ask 0/8"},
                                                                  {StepOver(0, 7), ""},
                                                                  {Released(0, 7), ""},
                                                                  {WasLost(true), "make 0 of 3"}}},
    {"a relay that stops begins nothing under another number of shards",
     kRunning + Steps{{Wait(), "heartbeat"},
                      {Stop(4 * kSecond), "release 0/7 stop until 4"},
                      {Answer(2, {{0, 9}, {1, 1}}), "lost 0, release 0/7 lost"},
                      {Stopped(0), "leave 0/9 1/1 in 2"}}},

    // ---- stopping ----
    {"half of the time is for answers, and then all shards are released",
     kRunningTwo + Steps{{Stop(8 * kSecond), "release 0/7 stop until 4, release 1/4 stop until 4"},
                         {Stopped(1), ""},
                         {Stopped(0), "leave 0/7 1/4 in 4"},
                         {Returned(), "left"}}},
    {"the lease is renewed while the last events are resolved, for a shard that is to be handed over as well",
     kRunningTwo + Steps{{Stop(8 * kSecond), "release 0/7 stop until 4, release 1/4 stop until 4"},
                         {Stopped(0), ""},
                         {Wait(), "heartbeat"},
                         {Answer(2, {{0, 7}, {1, 4, true}}, {.live = 2}), "hold 0/7 until 10.5, hold 1/4 until 10.5"},
                         {Pass(2 * kSecond), "heartbeat"},
                         {Answer(2, {{0, 7}, {1, 4, true}}, {.live = 2}), "hold 0/7 until 12.5, hold 1/4 until 12.5"},
                         {Stopped(1), "leave 0/7 1/4 in 2.75"}}},
    {"a heartbeat under way is awaited before the shards are released",
     kRunning + Steps{{Wait(), "heartbeat"},
                      {Stop(8 * kSecond), "release 0/7 stop until 6"},
                      {Stopped(0), ""},
                      {Answer(1, {{0, 7}}), "hold 0/7 until 12, leave 0/7 in 4"},
                      {Returned(), "left"}}},
    {"at the deadline a relay with something unresolved leaves its shards to the lease",
     kRunningTwo + Steps{{Stop(kSecond / 4), "release 0/7 stop until 0.125, release 1/4 stop until 0.125"},
                         {Stopped(0), ""},
                         {Wait(), "return in 0.1"},
                         {Returned(), "left incomplete"}}},
    {"a release that times out is tried once more",
     kRunning + Steps{{Stop(4 * kSecond), "release 0/7 stop until 2"},
                      {Stopped(0), "leave 0/7 in 2"},
                      {Pass(3 * kSecond), ""},
                      {Returned(OUTBOX_TIMEOUT), "leave 0/7 in 1"},
                      {Returned(OUTBOX_TIMEOUT), "left to its lease, left"}}},
    {"a release that fails otherwise is not",
     kRunning + Steps{{Stop(4 * kSecond), "release 0/7 stop until 2"},
                      {Stopped(0), "leave 0/7 in 2"},
                      {Returned(OUTBOX_UNAVAILABLE), "left to its lease, left"}}},
    {"a relay that has never met its database leaves without a call",
     {{Start(), "heartbeat"}, {NoAnswer(), ""}, {Stop(4 * kSecond), "release 0/0 stop until 2"}, {Stopped(0), "left"}}},
    {"nothing is begun while the relay stops: not after the query",
     {{Start(), "heartbeat"},
      {Answer(1, {{0, 7}}), "ask 0/7"},
      {Stop(4 * kSecond), "release 0/7 stop until 2"},
      {WasLost(true), ""},
      {Stopped(0), "leave 0/7 in 2"}}},
    {"nor when a runner has been made meanwhile",
     {{Start(), "heartbeat"},
      {Answer(2, {{1, 4}}), "remove all, ask 1/4"},
      {WasLost(true), "make 1 of 2"},
      {Stop(4 * kSecond), ""},
      {Made(), "remove 1, leave 1/4 in 2"}}},
    {"nor what a heartbeat brings", kRunning + Steps{{Stop(4 * kSecond), "release 0/7 stop until 2"},
                                                     {Wait(), "heartbeat"},
                                                     {Answer(1, {{0, 9}}), "lost 0, release 0/7 lost"},
                                                     {Stopped(0), "leave 0/9 in 1"}}},
    {"a shard that was not begun is released by a stop",
     kSlowly + Steps{{Stop(4 * kSecond), "release 0/7 stop until 2"}, {Stopped(0), "leave 0/7 1/4 in 2"}}},
    {"a hand-over under way ends before the stop",
     kRunningTwo + Steps{{Wait(), "heartbeat"},
                         {Answer(2, {{0, 7}, {1, 4, true}}, {.live = 2}),
                          "hold 0/7 until 10.5, handing over 1, release 1/4 hand-over until 10.5"},
                         {Released(1, 4), ""},
                         {Wait(), "return 1/4"},
                         {Stop(4 * kSecond), "release 0/7 stop until 2.5, release 1/4 stop until 2.5"},
                         {Stopped(0), ""},
                         {Stopped(1), ""},
                         {Returned(), "leave 0/7 in 2"}}},
    {"a second stop changes nothing",
     kRunning + Steps{{Stop(4 * kSecond), "release 0/7 stop until 2"}, {Stop(kSecond), ""}}},

    // ---- a store without leases ----
    {"a store that leases no shards says so: shard 0 is held for ever",
     {{Start(), "heartbeat"},
      {NoAnswer(OUTBOX_UNSUPPORTED), "hold 0/0 for ever"},
      {Pass(3600 * kSecond), ""},
      {Stop(4 * kSecond), "release 0/0 stop until 3602"},
      {Stopped(0), "left"}}},
    {"it says so after calls that failed",
     {{Start(), "heartbeat"},
      {NoAnswer(), ""},
      {Wait(), "heartbeat"},
      {NoAnswer(OUTBOX_UNSUPPORTED), "hold 0/0 for ever"}}},
    {"it says so while the relay stops",
     {{Start(), "heartbeat"},
      {Stop(4 * kSecond), "release 0/0 stop until 2"},
      {Stopped(0), ""},
      {NoAnswer(OUTBOX_UNSUPPORTED), "left"}}},
    {"it says so after it has leased shards: a call that failed",
     {{Start(), "heartbeat"},
      {Answer(1, {}, {.live = 2}), "standby"},
      {Wait(), "heartbeat"},
      {NoAnswer(OUTBOX_UNSUPPORTED), ""},
      {Wait(), "heartbeat"}}},
    {"without leases shard 0 is held for ever", {{Start(), "hold 0/0 for ever"}, {Pass(kForever / 2), ""}}, false},
    {"and there is nothing to release",
     {{Start(), "hold 0/0 for ever"}, {Stop(4 * kSecond), "release 0/0 stop until 2"}, {Stopped(0), "left"}},
     false},
    {"nor at the deadline",
     {{Start(), "hold 0/0 for ever"}, {Stop(4 * kSecond), "release 0/0 stop until 2"}, {Wait(), "left incomplete"}},
     false},
};

std::string Names(const std::vector<shards::Command>& commands) {
  std::string names;
  for (const shards::Command& command : commands) names += (names.empty() ? "" : ", ") + std::visit(Namer(), command);
  return names;
}

TEST_CASE("what the shard coordinator decides") {
  for (const Row& row : kTable) {
    Rig rig{Coordinator({.lease = kLease, .poll_interval = kPoll, .has_leases = row.has_leases})};
    for (std::size_t i = 0; i < row.steps.size(); ++i) {
      INFO(row.name << ", step " << i + 1);
      rig.coordinator.Advance(rig.now);
      row.steps[i].when(rig);
      CHECK(Names(rig.coordinator.TakeCommands()) == row.steps[i].then);
      CHECK(rig.coordinator.CheckInvariants() == "");
    }
  }
}

}  // namespace
}  // namespace outbox::engine
