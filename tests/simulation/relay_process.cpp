#include "tests/simulation/relay_process.hpp"

#include <algorithm>
#include <utility>

namespace outbox::simulation {

namespace shards = engine::shards;

namespace {

// Time that a relay may wait for an answer from the broker and still be ready; equals monitoring::kPatience.
constexpr Time kPatience = 5 * kSecond;

engine::ShardCoordinator::Settings MakeSettings([[maybe_unused]] const Scenario& s) {
  engine::ShardCoordinator::Settings settings{.lease = kLease, .poll_interval = kPoll};
#ifdef OUTBOX_MUTANTS
  using Wrong = engine::Mutant;
  settings.mutant = s.mutant == Mutant::kFirstStepsTogether  ? Wrong::kFirstStepsTogether
                    : s.mutant == Mutant::kRegainedIsRenewed ? Wrong::kRegainedIsRenewed
                    : s.mutant == Mutant::kLeaseFromAnswer   ? Wrong::kLeaseFromAnswer
                    : s.mutant == Mutant::kReleasedWhenAsked ? Wrong::kReleasedWhenAsked
                    : s.mutant == Mutant::kLeavesUnresolved  ? Wrong::kLeavesUnresolved
                                                             : Wrong::kNone;
#endif
  return settings;
}

}  // namespace

RelayProcess::RelayProcess(Parts parts, RelayId id, std::function<void()> crashed)
    : parts_(parts), process_(parts, id), coordinator_(MakeSettings(parts.scenario)) {
  process_.crash = [this, crashed = std::move(crashed)] {
    Crash();
    crashed();
  };
}

void RelayProcess::Start() {
  AddShard(0);
  Turn([this] { coordinator_.Start(); });
}

void RelayProcess::Crash() {
  process_.dead = true;
  parts_.history.Say("relay {} crashes", process_.id);
  parts_.ledger.Fault(Ledger::kAllShards);
  for (const auto& [shard, it] : shards_) it->Die();
}

void RelayProcess::Stop(Time timeout) {
  stopping_ = true;
  parts_.history.Say("relay {} is to stop", process_.id);
  Turn([this, timeout] { coordinator_.Stop(process_.Local() + timeout); });
}

std::uint64_t RelayProcess::resets() const {
  std::uint64_t sum = 0;
  for (const auto& [shard, it] : shards_) sum += it->engine().counters().resets;
  for (const auto& it : gone_) sum += it->engine().counters().resets;
  return sum;
}

bool RelayProcess::Ready() const {
  const Time now = parts_.world.now();
  if (process_.dead || stopping_ || process_.Awake() > now || !process_.database_answers) return false;
  if (parts_.store.down() || parts_.broker.down_until > now) return false;
  bool works = false;
  for (const auto& [shard, it] : shards_) {
    const engine::Engine& engine = it->engine();
    if (!engine.IsOwner()) continue;
    works = true;
    if (engine.CannotRecord() || engine.FailuresUnrecorded() || engine.RemovesNothingSince() < kForever ||
        engine.OwedSince() < process_.Local() - kPatience)
      return false;
  }
  return works;
}

// Returns the time by which leases are judged: the time of the database or, for the mutant local-wall-clock, the time
// of the machine that makes the call.
Time RelayProcess::DatabaseClock() const {
  return parts_.scenario.mutant == Mutant::kLocalWallClock ? parts_.world.now() + process_.wall_ahead
                                                           : parts_.store.clock();
}

// ---- the coordinator ----

template <class F>
void RelayProcess::Turn(F input) {
  process_.Do([this, input] {
    Watched([this] { coordinator_.Advance(process_.Local()); });
    Watched(input);
    for (const shards::Command& command : coordinator_.TakeCommands()) {
      if (process_.dead) return;
      std::visit([this](const auto& one) { this->Do(one); }, command);
    }
    if (const std::string broken = coordinator_.CheckInvariants(); !broken.empty())
      parts_.ledger.Break("I0 coordinator: " + broken);
    CheckFirstSteps();
    SetAlarm();
  });
}

// Checks that at most one shard is in its first steps. Only shards that the coordinator holds count: the runner of a
// shard that was just lost ends its first steps a moment later.
void RelayProcess::CheckFirstSteps() const {
  if (parts_.scenario.mutant != Mutant::kNone) return;
  const auto held = ShardCoverage::Take(coordinator_).held;
  const auto in_them = std::ranges::count_if(shards_, [&held](const auto& one) {
    const auto it = held.find(one.first);
    const engine::Engine& engine = one.second->engine();
    return it != held.end() && it->second.second == engine.token() && engine.IsOwner() && engine.InFirstSteps();
  });
  if (in_them > 1) parts_.ledger.Break(fmt::format("I0 coordinator: {} shards are in their first steps", in_them));
}

template <class F>
void RelayProcess::Watched(F step) {
  if (parts_.coverage == nullptr) return step();
  const ShardCoverage::Look before = ShardCoverage::Take(coordinator_);
  step();
  parts_.coverage->shards.Compare(before, ShardCoverage::Take(coordinator_));
}

void RelayProcess::SetAlarm() {
  const Time next = coordinator_.NextDeadline();
  if (next >= kForever) return;
  const Time at = std::max(process_.WorldAt(next), parts_.world.now() + 1);
  if (alarm_ > parts_.world.now() && alarm_ <= at) return;
  alarm_ = at;
  parts_.world.At(at, [this] { Turn([] {}); });
}

// ---- calls ----

struct RelayProcess::Answer {
  Time asked;
  ModelLeases::Look look;
  ModelLeases::Next next;
};

void RelayProcess::Do(const shards::Heartbeat& /*heartbeat*/) {
  const auto answer = std::make_shared<Answer>();
  answer->asked = process_.Local();
  process_.Call(
      Process::Kind::kRead,
      [this, answer] {
        if (parts_.scenario.marks_rows) return OUTBOX_UNSUPPORTED;
        answer->look = parts_.store.leases.LookAround(process_.id, DatabaseClock());
        answer->next = ModelLeases::After(answer->look, kLease);
        return OUTBOX_OK;
      },
      [this, answer](outbox_code code) {
        if (code == OUTBOX_OK && answer->next != ModelLeases::Next::kAnswer) return TakeTurn(answer);
        Answered(code, answer);
      });
}

void RelayProcess::TakeTurn(const std::shared_ptr<Answer>& answer) {
  process_.Call(
      Process::Kind::kWrite,
      [this, answer] {
        ModelLeases& leases = parts_.store.leases;
        if (leases.AnyEnded(DatabaseClock())) parts_.ledger.LeaseEnds(Ledger::kAllShards);
        if (answer->next == ModelLeases::Next::kRenew && leases.Renew(process_.id, kLease, DatabaseClock()))
          answer->look.lease.left = Millis(kLease / kMillisecond);
        else
          answer->look.lease = leases.Turn(process_.id, kLease, DatabaseClock());
        return OUTBOX_OK;
      },
      [this, answer](outbox_code code) { Answered(code, answer); });
}

void RelayProcess::Answered(outbox_code code, const std::shared_ptr<Answer>& answer) {
  const Lease& lease = answer->look.lease;
  if (code == OUTBOX_OK)
    process_.lease_end = process_.WorldAt(answer->asked) + lease.left.count() * kMillisecond;
  else
    parts_.history.Say("a heartbeat of relay {} fails", process_.id);
  Turn([this, code, answer] { coordinator_.HeartbeatAnswered(code, answer->look.lease); });
}

void RelayProcess::Do(const shards::AskWasLost& ask) {
  const auto lost = std::make_shared<bool>(false);
  process_.Call(
      Process::Kind::kRead,
      [this, ask, lost] {
        if (!parts_.store.leases.Holds(ask.shard, ask.token)) return OUTBOX_LEASE_LOST;
        *lost = parts_.store.leases.WasLost(ask.shard);
        return OUTBOX_OK;
      },
      [this, lost](outbox_code code) { Turn([this, lost, code] { coordinator_.WasLostAnswered(code, *lost); }); });
}

// Makes a runner after some time, because threads and a producer have to start.
void RelayProcess::Do(const shards::MakeRunner& make) {
  const bool fails = parts_.chances.Happens(Chance::kNoRunner, parts_.scenario.no_runner);
  if (fails && parts_.coverage != nullptr) parts_.coverage->shards.RunnerNotMade();
  parts_.world.After(parts_.world.Between(0, 20'000), [this, make, fails] {
    Turn([this, make, fails] {
      if (fails)
        parts_.history.Say("relay {} cannot make a runner of shard {}", process_.id, make.shard);
      else
        AddShard(make.shard);
      coordinator_.RunnerMade(!fails);
    });
  });
}

// Checks invariant I7 (lease safety): the relay may release a shard to another relay only after all events of the
// shard are resolved.
void RelayProcess::CheckResolved(const shards::ReleaseShards& release) {
  for (const outbox_owned_shard& s : release.shards) {
    const auto it = shards_.find(s.shard);
    if (it != shards_.end() && it->second->engine().Outstanding() + it->second->engine().InFlight() > 0)
      parts_.ledger.Break(
          fmt::format("I7 lease: relay {} releases shard {} with events outstanding", process_.id, s.shard));
  }
}

void RelayProcess::Do(const shards::ReleaseShards& release) {
  CheckResolved(release);
  process_.Call(
      Process::Kind::kWrite,
      [this, release] {
        parts_.store.leases.Return(process_.id, release.shards, release.deregister);
        return OUTBOX_OK;
      },
      [this](outbox_code code) { Turn([this, code] { coordinator_.ShardsReleased(code); }); });
}

// ---- runners ----

// Adds a shard. Its runner reports to the coordinator in a turn of its own, after the current one.
void RelayProcess::AddShard(std::uint32_t shard) {
  Position start;
  if (parts_.scenario.mutant == Mutant::kSharedCursor) {
    for (const auto& [other, it] : shards_)
      if (it->position().cursor > start.cursor) start = it->position();
  }
  const auto released = [this](std::uint32_t which, std::uint64_t token, engine::ReleaseReason reason) {
    parts_.world.After(0, [=, this] { Turn([=, this] { coordinator_.Released(which, token, reason); }); });
  };
  const auto first_steps_over = [this](std::uint32_t which, std::uint64_t token) {
    parts_.world.After(0, [=, this] { Turn([=, this] { coordinator_.FirstStepsOver(which, token); }); });
  };
  shards_[shard] = std::make_unique<ShardProcess>(process_, shard, start, released, first_steps_over);
}

ShardProcess* RelayProcess::Find(std::uint32_t shard) {
  const auto it = shards_.find(shard);
  if (it != shards_.end()) return it->second.get();
  parts_.ledger.Break(fmt::format("I0 coordinator: shard {} has no runner", shard));
  return nullptr;
}

void RelayProcess::Do(const shards::Hold& hold) {
  CheckSlowStart(hold);
  if (ShardProcess* const shard = Find(hold.shard)) shard->Hold(hold.token, hold.until, hold.slow_start);
}

// Checks invariant I13 (slow start). The database knows whether the previous owner let its lease expire.
void RelayProcess::CheckSlowStart(const shards::Hold& hold) {
  const ModelLeases& leases = parts_.store.leases;
  if (std::exchange(begun_[hold.shard], hold.token) == hold.token || hold.slow_start) return;
  if (leases.Holds(hold.shard, hold.token) && leases.WasLost(hold.shard))
    parts_.ledger.Break(
        fmt::format("I13 slow start: relay {} begins shard {} at full speed, though the lease before has "
                    "expired",
                    process_.id, hold.shard));
}

void RelayProcess::Do(const shards::Release& release) {
  if (ShardProcess* const shard = Find(release.shard)) shard->Release(release.reason, release.token, release.until);
}

void RelayProcess::Do(const shards::RemoveRunner& remove) {
  if (Find(remove.shard) == nullptr) return;
  parts_.history.Say("relay {} has released shard {}", process_.id, remove.shard);
  gone_.push_back(std::move(shards_.extract(remove.shard).mapped()));
  gone_.back()->Die();
}

void RelayProcess::Do(const shards::RemoveAllRunners& /*remove*/) {
  for (auto& [shard, it] : shards_) {
    it->Die();
    gone_.push_back(std::move(it));
  }
  shards_.clear();
  begun_.clear();
}

// ---- the relay ----

void RelayProcess::Do(const shards::Left& left) {
  process_.dead = true;
  if (!left.complete) parts_.ledger.Fault(Ledger::kAllShards);
  parts_.history.Say("relay {} has stopped", process_.id);
  for (const auto& [shard, it] : shards_) it->Die();
}

void RelayProcess::Do(const shards::Delivering& delivering) {
  parts_.history.Say("relay {} takes shard {} (token {})", process_.id, delivering.shard, delivering.token);
}

void RelayProcess::Do(const shards::HandingOver& handing_over) {
  parts_.history.Say("relay {} hands over shard {}", process_.id, handing_over.shard);
}

void RelayProcess::Do(const shards::LeaseLost& lost) {
  parts_.history.Say("relay {} has lost shard {}", process_.id, lost.shard);
}

}  // namespace outbox::simulation
