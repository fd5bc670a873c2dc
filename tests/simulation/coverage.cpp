#include "tests/simulation/coverage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace outbox::simulation {
namespace {

using engine::Chart;
using engine::TransitionCounts;

template <class State>
std::string Name(State from, State to) {
  const auto name = [](State s) { return TransitionCounts<State>::NameOf(s); };
  return fmt::format("{:12} {:>12} -> {}", Chart<State>::kTitle, name(from), name(to));
}

// Calls f(transition) for each transition of the state charts.
template <class F>
void EachKnown(F f) {
  for (const auto& t : Chart<engine::LeaseState>::kTransitions) f(t);
  for (const auto& t : Chart<engine::ReadState>::kTransitions) f(t);
  for (const auto& t : Chart<engine::EventState>::kTransitions) f(t);
  for (const auto& t : Chart<engine::HoldState>::kTransitions) f(t);
  for (const auto& t : Chart<engine::MarkState>::kTransitions) f(t);
}

const std::set<std::string>& Rare() {
  using engine::HoldState;
  using engine::MarkState;
  static const std::set<std::string> rare = {
      Name(HoldState::kTopic, HoldState::kRetried),  // A trial is given up, and an event behind it awaits its topic.
      Name(HoldState::kNone, HoldState::kRescan),    // A trial is dropped whose key was freed during the reset.
      Name(MarkState::kWriting, MarkState::kNone),   // The lease is lost while an event is being marked.
  };
  return rare;
}

template <class State>
std::string ChartOf(std::string_view what) {
  const auto id = [](State s) {
    std::string name(TransitionCounts<State>::NameOf(s));
    std::replace(name.begin(), name.end(), ' ', '_');
    return name;
  };
  std::string chart = fmt::format("\n### {}\n\n{}\n\n```mermaid\nstateDiagram-v2\n    [*] --> {}\n",
                                  Chart<State>::kTitle, what, id(Chart<State>::kInitial));
  for (const auto& t : Chart<State>::kTransitions)
    chart += fmt::format("    {} --> {}: {}\n", id(t.from), id(t.to), t.when);
  return chart + "```\n";
}

}  // namespace

void Coverage::Add(const engine::Engine& engine) {
  engine.EachTransitionCounts([this]<class State>(const TransitionCounts<State>& counts) {
    counts.Each([this](State from, State to, std::uint64_t times) { taken_[Name(from, to)] += times; });
  });
}

std::string Coverage::Table() const {
  std::map<std::string, std::uint64_t> all = taken_;
  EachKnown([&all](const auto& t) { all.try_emplace(Name(t.from, t.to), 0); });
  std::string table;
  for (const auto& [name, times] : all) table += fmt::format("{:45} {:>12}\n", name, times);
  return table + "\n" + shards.Table();
}

std::vector<std::string> Coverage::Missing() const {
  std::vector<std::string> missing = shards.Missing();
  EachKnown([&](const auto& t) {
    const std::string name = Name(t.from, t.to);
    if (!taken_.contains(name) && !Rare().contains(name)) missing.push_back(name);
  });
  return missing;
}

std::string Charts() {
  return ChartOf<engine::LeaseState>("Whether the relay may work on the shard (`shard_lease.hpp`).") +
         ChartOf<engine::ReadState>("What is asked of the storage (`read_scheduler.hpp`).") +
         ChartOf<engine::EventState>("One outstanding event (`event_table.hpp`).") +
         ChartOf<engine::HoldState>("Why no event of a key may be sent (`key_holds.hpp`).") +
         ChartOf<engine::MarkState>("The poison mark of a slow start (`slow_start.hpp`).");
}

}  // namespace outbox::simulation
