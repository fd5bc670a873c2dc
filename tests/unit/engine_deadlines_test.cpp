// Tests the next deadline of an engine: a turn does something at the deadline, and nothing before it. Random inputs
// drive the engine, and its counters are compared with what a simulated environment observed.
#include <map>
#include <string_view>

#include "engine_random_environment.hpp"
#include "tests/catch.hpp"

namespace outbox::engine {
namespace {

constexpr std::uint64_t kFirstSeed = 20'260'101;
constexpr int kSeeds = 300, kTurns = 400;

// Counts how often each kind of deadline was checked, to show that the random inputs reach the checks.
struct Checked {
  std::uint64_t before = 0, at = 0, lease_ends = 0, moved = 0;
  std::array<std::uint64_t, std::variant_size_v<Command>> commands{};
  std::map<std::string_view, std::uint64_t> transitions;  // Numbers of transitions, keyed by the state chart's title.
};

// Returns a description of what is wrong with the engine at the end of a turn; empty if nothing is wrong.
std::string FindFault(RandomEnvironment& around, Checked& checked) {
  Engine& engine = around.engine();
  if (const std::string broken = engine.CheckInvariants(); !broken.empty()) return "after a turn: " + broken;
  if (const std::string wrong = around.FindMiscount(); !wrong.empty()) return wrong;
  // A lease that waited for the previous one to be released begins in the next turn, which is due at once.
  for (int turns = 0; engine.NextDeadline() <= around.now(); ++turns) {
    if (turns == 2) return "the deadline has passed after every turn";
    if (around.TakeCommands() == 0 && engine.NextDeadline() <= around.now())
      return "the deadline has passed, and a turn does nothing";
    if (const std::string broken = engine.CheckInvariants(); !broken.empty()) return "at once: " + broken;
  }
  if (around.TakeCommands() > 0) return "a second turn at the same time does something";
  const Time deadline = engine.NextDeadline();
  if (deadline <= around.now()) return "the deadline has passed after a turn that did nothing";
  if (around.OneIn(3)) return {};
  if (deadline == kForever) {
    if (!around.OneIn(20)) return {};
    around.AdvanceTo(around.now() + 1 + around.Below(100 * kSecond));
    ++checked.before;
    return around.TakeCommands() > 0 ? "a turn does something without a deadline" : "";
  }
  if (around.OneIn(2)) {
    around.AdvanceTo(around.now() + around.Below(deadline - around.now()));
    if (around.TakeCommands() > 0) return "a turn before the deadline does something";
  }
  around.AdvanceTo(deadline - 1);
  if (around.TakeCommands() > 0) return "a turn one microsecond before the deadline does something";
  ++checked.before;
  if (engine.NextDeadline() != deadline) return "the deadline moves one microsecond before it";
  around.AdvanceTo(deadline);
  const std::size_t commands = around.TakeCommands();
  if (commands == 0 && engine.NextDeadline() <= deadline) return "a turn at the deadline does nothing";
  // A lease that ends while a read is unanswered produces no command.
  const bool lease_ends = engine.LeaseUntil() - around.settings().lease_margin == deadline;
  ++(commands > 0 ? checked.at : lease_ends ? checked.lease_ends : checked.moved);
  if (const std::string broken = engine.CheckInvariants(); !broken.empty()) return "at the deadline: " + broken;
  return {};
}

TEST_CASE("a turn does something at the deadline of an engine and nothing before it") {
  Checked checked;
  for (int i = 0; i < kSeeds; ++i) {
    const std::uint64_t seed = kFirstSeed + static_cast<std::uint64_t>(i);
    RandomEnvironment around(seed);
    for (int turn = 0; turn < kTurns && !around.stopped(); ++turn) {
      around.AdvanceTo(around.now() + (around.OneIn(2) ? 0 : around.Below(around.OneIn(50) ? 5000 : 50)));
      for (Time inputs = around.Below(4); inputs > 0; --inputs) around.Happen();
      (void)around.TakeCommands();
      const std::string fault = FindFault(around, checked);
      if (!fault.empty()) FAIL(fault << "; seed " << seed << ", turn " << turn << ", what happened:\n" << around.log());
    }
    for (std::size_t kind = 0; kind < checked.commands.size(); ++kind)
      checked.commands[kind] += around.commands()[kind];
    around.engine().EachTransitionCounts([&checked]<class State>(const TransitionCounts<State>& counts) {
      counts.Each([&](State, State, std::uint64_t times) { checked.transitions[Chart<State>::kTitle] += times; });
    });
  }
  CAPTURE(kFirstSeed, checked.before, checked.at, checked.lease_ends, checked.moved);
  CHECK(checked.before > 5000);
  CHECK(checked.at > 2000);
  // In rare cases no command follows at the deadline: the pause of the trials has ended, but the next trial must wait
  // for the main stream. The engine then only sets a later deadline.
  CHECK(checked.moved < checked.at / 50);
  for (std::size_t kind = 0; kind < checked.commands.size(); ++kind) {
    CAPTURE(kind);
    CHECK(checked.commands[kind] > 20);
  }
  CHECK(checked.transitions.size() == 5);
  for (const auto& [title, times] : checked.transitions) {
    CAPTURE(title);
    CHECK(times > 300);
  }
}

// Runs one turn at time `now`. Returns its commands, each as its index in the variant Command.
std::vector<std::size_t> TurnAt(Engine& engine, Time now) {
  std::vector<std::size_t> commands;
  engine.Advance(now);
  engine.TakeCommands([&commands](const Command& any) { commands.push_back(any.index()); });
  return commands;
}

TEST_CASE("events that are in flight at the deadline of a drain are dropped") {
  const bool trial = GENERATE(false, true);
  Engine engine{Settings{}};
  engine.Hold(1, kForever, false);
  (void)TurnAt(engine, 0);
  (void)engine.Reserved({}, std::vector<Incoming>{{.doubtful = trial}});
  (void)TurnAt(engine, 0);
  REQUIRE(engine.InFlight() == 1);
  engine.Release(ReleaseReason::kStop, 1, 700);
  CHECK(TurnAt(engine, 10).empty());
  CHECK(engine.NextDeadline() == 700);
  CHECK(TurnAt(engine, 699).empty());
  CHECK(TurnAt(engine, 700) == std::vector{Command(command::Reset{}).index()});
  CHECK(engine.NextDeadline() == kForever);
  engine.ResetDone(trial ? publisher::kTrialEpochs | 2 : 2);
  CHECK(TurnAt(engine, 800).back() == Command(command::Released{}).index());
  CHECK(engine.CheckInvariants().empty());
}

}  // namespace
}  // namespace outbox::engine
