#include "tests/simulation/shard_coverage.hpp"

#include <fmt/format.h>

namespace outbox::engine {

struct CoordinatorProbe {
  static simulation::ShardCoverage::Look Take(const ShardCoordinator& c) {
    simulation::ShardCoverage::Look look;
    look.call = static_cast<int>(c.call_);
    look.stopping = c.stopping_;
    look.was_active = c.runners_.size() > 1 || (!c.held_.empty() && !c.runners_.empty());
    look.shards = c.shards_;
    for (const auto& [shard, held] : c.held_) look.held[shard] = {static_cast<int>(held.phase), held.token};
    if (c.first_steps_) look.first_steps = static_cast<int>(c.first_steps_->first);
    return look;
  }
};

}  // namespace outbox::engine

namespace outbox::simulation {
namespace {

// The names of the coordinator's private states, in the order of their declaration. The last phase stands for a shard
// that is not held.
constexpr const char* kCalls[] = {"none",  "heartbeat", "was-lost query", "runner being made", "hand-over",
                                  "leave", "left"};
constexpr const char* kPhases[] = {"gained", "running", "handing over", "released", "not held"};
constexpr int kGained = 0, kHandingOver = 2, kNotHeld = 4;

std::string Call(int from, int to) { return fmt::format("call: {} -> {}", kCalls[from], kCalls[to]); }
std::string Phase(int from, int to) { return fmt::format("shard: {} -> {}", kPhases[from], kPhases[to]); }

}  // namespace

ShardCoverage::Look ShardCoverage::Take(const engine::ShardCoordinator& coordinator) {
  return engine::CoordinatorProbe::Take(coordinator);
}

void ShardCoverage::Compare(const Look& before, const Look& after) {
  if (before.call != after.call) ++gone_[Call(before.call, after.call)];
  if (!before.stopping && after.stopping) ++gone_[fmt::format("stop during call: {}", kCalls[before.call])];
  if (before.shards != after.shards && before.was_active) ++gone_["another number of shards, after it was active"];
  for (const auto& [shard, was] : before.held) {
    const auto now = after.held.find(shard);
    const int phase = now == after.held.end() ? kNotHeld : now->second.first;
    if (phase != was.first) ++gone_[Phase(was.first, phase)];
    if (now != after.held.end() && now->second.second != was.second) ++gone_["shard: regained under another token"];
    const bool in_first_steps = before.first_steps == static_cast<int>(shard);
    if (in_first_steps && phase == kNotHeld) ++gone_["first steps: lost"];
    if (in_first_steps && phase == kHandingOver && was.first != phase) ++gone_["first steps: handed over"];
    if (before.first_steps >= 0 && !in_first_steps && was.first == kGained && phase == kGained)
      ++gone_["first steps: another shard waits"];
  }
  for (const auto& [shard, now] : after.held)
    if (!before.held.contains(shard)) ++gone_[Phase(kNotHeld, now.first)];
}

// Returns the transitions that the code can take, derived from reading it and not from runs. Four transitions that
// only one run in ten thousand takes are left out: a relay with unresolved events stops during a hand-over call, a
// shard is to be handed over before it was begun, a shard is regained under another token while it is handed over, and
// a shard is lost in its first steps.
const std::vector<std::string>& ShardCoverage::Known() {
  static const std::vector<std::string> known = {
      "call: none -> heartbeat",
      "call: none -> hand-over",
      "call: none -> leave",
      "call: none -> left",  // The database was never reached.
      "call: heartbeat -> none",
      "call: heartbeat -> was-lost query",
      "call: heartbeat -> leave",
      "call: was-lost query -> none",
      "call: was-lost query -> runner being made",
      "call: was-lost query -> leave",
      "call: runner being made -> none",
      "call: runner being made -> was-lost query",
      "call: runner being made -> leave",
      "call: hand-over -> heartbeat",
      "call: hand-over -> leave",
      "call: leave -> left",
      "shard: not held -> gained",
      "shard: gained -> running",
      "shard: gained -> released",
      "shard: gained -> not held",
      "shard: running -> handing over",
      "shard: running -> gained",  // The shard is regained under another token.
      "shard: running -> not held",
      "shard: handing over -> released",
      "shard: handing over -> not held",
      "shard: released -> not held",
      "shard: regained under another token",
      "stop during call: none",
      "stop during call: heartbeat",
      "stop during call: was-lost query",
      "stop during call: runner being made",
      "stop during call: hand-over",
      "first steps: another shard waits",
      "first steps: handed over",
      "another number of shards, after it was active",
      "runner not made",
  };
  return known;
}

std::string ShardCoverage::Table() const {
  std::map<std::string, std::uint64_t> all = gone_;
  for (const std::string& way : Known()) all.try_emplace(way, 0);
  std::string table;
  for (const auto& [way, times] : all) table += fmt::format("{:50} {:>10}\n", way, times);
  return table;
}

std::vector<std::string> ShardCoverage::Missing() const {
  std::vector<std::string> missing;
  for (const std::string& way : Known())
    if (!gone_.contains(way)) missing.push_back(way);
  return missing;
}

}  // namespace outbox::simulation
