#include "tests/simulation/simulator.hpp"

#include "tests/simulation/silence.hpp"
#include "tests/simulation/trouble.hpp"
#include "tests/simulation/writers.hpp"

namespace outbox::simulation {
namespace {

constexpr Time kTroubleEnds = 8 * kSecond;
// The longest time that the backlog may take to drain after the last fault and the last commit. Most of that time is
// the longest wait for a retry and a backoff.
constexpr Time kDrainsWithin = 60 * kSecond;

// Checks invariant I1 (no loss, see ledger.hpp) once the system is quiescent.
void CheckNothingLost(Ledger& ledger, const ModelStore& store) {
  std::set<EventNumber> blocked;
  for (const EventNumber e : store.Blocked()) blocked.insert(e);
  for (EventNumber e = 0; e < ledger.fates().size(); ++e) {
    const Fate& fate = ledger.Of(e);
    if (fate.commit == 0 || fate.stored > 0 || fate.dead || blocked.contains(e)) continue;
    bool behind = false;
    for (const EventNumber head : blocked)
      behind = behind || (fate.key != kNoKey && ledger.Of(head).key == fate.key && ledger.Of(head).id < fate.id);
    if (!behind || !store.Has(e)) return ledger.Break("I1 loss: " + ledger.Name(e));
  }
}

}  // namespace

Verdict Run(const Scenario& scenario, const Options& options) {
  World world(scenario.seed);
  Chances chances(scenario.seed, options.left_out);
  History history(world, options.history);
  Ledger ledger(world, history, scenario);
  ModelStore store(world, ledger, history, scenario);
  ModelBroker broker{.lanes = static_cast<std::uint32_t>(scenario.lanes)};
  const Parts parts{world, chances, ledger, history, store, broker, scenario, options.coverage};
  Writers writers(parts);
  Trouble trouble(parts);
  Silence silence(parts);
  trouble.Start();
  writers.Start();

  // Faults end some time after most events are written, and then the backlog has to drain.
  Time calm_since = kForever;
  bool over = false;
  std::function<void()> look = [&] {
    silence.Look(trouble.relays());
    if (calm_since >= kForever && world.now() >= kTroubleEnds) {
      trouble.End();
      calm_since = world.now();
    }
    if (writers.done() && calm_since < kForever) {
      const Time last = std::max(calm_since, ledger.last_fault());
      const auto left = store.Movable();
      over = left.empty() && world.now() >= last;
      if (world.now() > last + kDrainsWithin)
        ledger.Break(fmt::format("I1 liveness: {} and {} more still wait {} s after the last fault",
                                 ledger.Name(left[0]), left.size() - 1, kDrainsWithin / kSecond));
    }
    if (!over) world.After(kPoll, look);
  };
  look();
  while (!over && !ledger.Broken() && world.Step()) {
  }
  if (!ledger.Broken()) CheckNothingLost(ledger, store);

  Verdict verdict;
  for (const auto& relay : trouble.relays()) verdict.resets += relay->resets();
  // Each fault and each reset may repeat up to one window of events in each shard. A long pause counts as several
  // faults: answers do not arrive in time, and then the lease expires.
  if (ledger.duplicates() > (ledger.faults() + verdict.resets) * scenario.window * store.most_shards())
    ledger.Break(fmt::format("I5 duplicates: {} of them with {} faults and {} resets", ledger.duplicates(),
                             ledger.faults(), verdict.resets));
  verdict.broken = ledger.broken();
  verdict.delivered = ledger.delivered();
  verdict.duplicates = ledger.duplicates();
  verdict.faults = ledger.faults();
  verdict.drained_after_us = world.now() - std::max(calm_since, ledger.last_fault());
  verdict.virtual_us = world.now();
  verdict.happened = chances.happened();
  verdict.history = history.Take();
  return verdict;
}

}  // namespace outbox::simulation
