#include "tests/simulation/coverage.hpp"

#include <fmt/format.h>

namespace outbox::engine {

// The names that the engine's private states have here, in their order.
struct EngineProbe {
  using Mode = Engine::Mode;
  using State = Engine::State;
  using Why = Engine::Hold::Why;
  using Phase = ShardLease::Phase;
  using Mark = Engine::Mark;
  static constexpr int kNoHold = -1;

  static simulation::Coverage::Look Take(const Engine& e, const ShardLease& t) {
    simulation::Coverage::Look look{
        static_cast<int>(e.mode_), static_cast<int>(t.phase_), static_cast<int>(e.mark_), {}, {}};
    look.events.reserve(e.events_.size());
    for (const Engine::Event& event : e.events_) look.events.push_back(static_cast<int>(event.state));
    for (const auto& [key, hold] : e.holds_) look.holds[key] = static_cast<int>(hold.why);
    return look;
  }
  static std::string Name(simulation::Coverage::Part part, int state) {
    static const char* const modes[] = {"standby", "active", "retiring", "lost"};
    static const char* const states[] = {"free",  "queued",  "sent",      "tried",  "unknown",
                                         "acked", "failing", "releasing", "settled"};
    static const char* const whys[] = {"none", "retried", "failing", "barrier", "rewind"};
    static const char* const phases[] = {"standby", "holding", "winding up", "handing over", "stopping", "stopped"};
    static const char* const marks[] = {"none", "wanted", "writing", "set", "clearing"};
    switch (part) {
      case simulation::Coverage::Part::kMode:
        return modes[state];
      case simulation::Coverage::Part::kEvent:
        return states[state];
      case simulation::Coverage::Part::kHold:
        return whys[state + 1];
      case simulation::Coverage::Part::kLease:
        return phases[state];
      case simulation::Coverage::Part::kMark:
        return marks[state];
    }
    return "";
  }
};

}  // namespace outbox::engine

namespace outbox::simulation {

using engine::EngineProbe;

Coverage::Look Coverage::Take(const engine::Engine& engine, const engine::ShardLease& shard_lease) {
  return EngineProbe::Take(engine, shard_lease);
}

void Coverage::Compare(const Look& before, const Look& after) {
  const auto gone = [this](Part part, int from, int to) {
    if (from != to) ++gone_[{part, from, to}];
  };
  gone(Part::kMode, before.mode, after.mode);
  gone(Part::kLease, before.shard_lease, after.shard_lease);
  gone(Part::kMark, before.mark, after.mark);
  for (std::size_t e = 0; e < before.events.size(); ++e) gone(Part::kEvent, before.events[e], after.events[e]);
  for (const auto& [key, why] : before.holds) {
    const auto now = after.holds.find(key);
    gone(Part::kHold, why, now == after.holds.end() ? EngineProbe::kNoHold : now->second);
  }
  for (const auto& [key, why] : after.holds)
    if (!before.holds.contains(key)) gone(Part::kHold, EngineProbe::kNoHold, why);
}

// Read from the code, not from what was seen. Left out are three that one run in ten thousand goes (a key that waits for
// its rewind fails again, a relay is stopped while it winds up a lost lease, a lease is lost while an event is being
// marked), and the events that a storage wants released: the model marks no rows.
const std::vector<Coverage::Way>& Coverage::Known() {
  using Mode = EngineProbe::Mode;
  using State = EngineProbe::State;
  using Why = EngineProbe::Why;
  using Phase = EngineProbe::Phase;
  using Mark = EngineProbe::Mark;
  static const auto mode = [](Mode a, Mode b) { return Way{Part::kMode, static_cast<int>(a), static_cast<int>(b)}; };
  static const auto event = [](State a, State b) {
    return Way{Part::kEvent, static_cast<int>(a), static_cast<int>(b)};
  };
  static const auto hold = [](Why a, Why b) { return Way{Part::kHold, static_cast<int>(a), static_cast<int>(b)}; };
  static const auto begun = [](Why b) { return Way{Part::kHold, EngineProbe::kNoHold, static_cast<int>(b)}; };
  static const auto lifted = [](Why a) { return Way{Part::kHold, static_cast<int>(a), EngineProbe::kNoHold}; };
  static const auto shard_lease = [](Phase a, Phase b) {
    return Way{Part::kLease, static_cast<int>(a), static_cast<int>(b)};
  };
  static const auto mark = [](Mark a, Mark b) { return Way{Part::kMark, static_cast<int>(a), static_cast<int>(b)}; };
  static const std::vector<Way> known = {
      mode(Mode::kStandby, Mode::kActive),
      mode(Mode::kStandby, Mode::kRetiring),  // told to stop
      mode(Mode::kActive, Mode::kRetiring),
      mode(Mode::kActive, Mode::kLost),
      mode(Mode::kRetiring, Mode::kLost),
      mode(Mode::kRetiring, Mode::kStandby),
      mode(Mode::kLost, Mode::kStandby),
      event(State::kFree, State::kQueued),
      event(State::kFree, State::kFailing),  // judged before sending
      event(State::kFree, State::kSettled),  // of a stale read, or its key is held
      event(State::kQueued, State::kSent),
      event(State::kQueued, State::kSettled),
      event(State::kQueued, State::kFree),  // dropped at a deadline
      event(State::kSent, State::kAcked),
      event(State::kSent, State::kUnknown),
      event(State::kQueued, State::kTried),
      event(State::kTried, State::kAcked),
      event(State::kTried, State::kFailing),
      event(State::kTried, State::kSettled),
      event(State::kSent, State::kSettled),
      event(State::kUnknown, State::kSettled),
      event(State::kAcked, State::kSettled),
      event(State::kAcked, State::kFailing),  // delivered, and its row stays
      event(State::kFailing, State::kSettled),
      event(State::kSettled, State::kFree),
      begun(Why::kFailing),
      begun(Why::kRetried),
      hold(Why::kRetried, Why::kFailing),
      hold(Why::kRetried, Why::kRescan),
      hold(Why::kFailing, Why::kBarrier),
      hold(Why::kFailing, Why::kRescan),
      hold(Why::kBarrier, Why::kRescan),
      lifted(Why::kFailing),
      lifted(Why::kBarrier),
      lifted(Why::kRescan),
      shard_lease(Phase::kStandby, Phase::kHolding),
      shard_lease(Phase::kStandby, Phase::kStopping),
      shard_lease(Phase::kHolding, Phase::kWindingUp),
      shard_lease(Phase::kHolding, Phase::kHandingOver),
      shard_lease(Phase::kHolding, Phase::kStopping),
      shard_lease(Phase::kWindingUp, Phase::kStandby),
      shard_lease(Phase::kHandingOver, Phase::kStandby),
      shard_lease(Phase::kHandingOver, Phase::kWindingUp),  // the lease ended first
      shard_lease(Phase::kHandingOver, Phase::kStopping),
      shard_lease(Phase::kStopping, Phase::kStopped),
      mark(Mark::kNone, Mark::kWanted),
      mark(Mark::kWanted, Mark::kWriting),
      mark(Mark::kWriting, Mark::kSet),
      mark(Mark::kWriting, Mark::kWanted),    // the call failed
      mark(Mark::kWriting, Mark::kClearing),  // too many owners have marked it, or it was dropped meanwhile
      mark(Mark::kSet, Mark::kNone),
      mark(Mark::kSet, Mark::kClearing),  // an outage
      mark(Mark::kClearing, Mark::kNone),
  };
  return known;
}

std::string Coverage::Name(const Way& way) {
  static const char* const parts[] = {"engine", "event", "held key", "shard lease", "mark"};
  return fmt::format("{:9} {:>12} -> {}", parts[static_cast<int>(way.part)], EngineProbe::Name(way.part, way.from),
                     EngineProbe::Name(way.part, way.to));
}

std::string Coverage::Table() const {
  std::map<Way, std::uint64_t> all = gone_;
  for (const Way& way : Known()) all.try_emplace(way, 0);
  std::string table;
  for (const auto& [way, times] : all) table += fmt::format("{:40} {:>10}\n", Name(way), times);
  return table + "\n" + shards.Table();
}

std::vector<std::string> Coverage::Missing() const {
  std::vector<std::string> missing = shards.Missing();
  for (const Way& way : Known())
    if (!gone_.contains(way)) missing.push_back(Name(way));
  return missing;
}

}  // namespace outbox::simulation
