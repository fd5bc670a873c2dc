#include "tests/simulation/simulator.hpp"

#include <algorithm>

namespace outbox::simulation {
namespace {

using engine::Command;
using engine::Do;
using engine::Engine;
using engine::EventIndex;
using engine::kForever;
using engine::kMillisecond;
using engine::kSecond;
using engine::Write;

constexpr Time kLease = 10 * kSecond;
constexpr Time kDrainBound = 1200 * kSecond;

// The shell around the engine, as the daemon's, with the world's queue in place of threads.
class RelayProcess : public std::enable_shared_from_this<RelayProcess> {
 public:
  RelayProcess(World& world, ModelStore& store, ModelBroker& broker, const Scenario& scenario, int id)
      : world_(world),
        store_(store),
        scenario_(scenario),
        id_(id),
        engine_(MakeSettings(scenario, id)),
        producer_(
            world, broker, scenario.broker,
            [this](std::vector<publish::Report> r) { Turn([this, r] { engine_.Reported(r); }); },
            [this](std::uint32_t epoch) { Turn([this, epoch] { engine_.ResetDone(epoch); }); }) {}

  void Start() { Beat(); }
  void Kill() {
    dead_ = true;
    producer_.Kill();
  }
  [[nodiscard]] bool dead() const { return dead_; }
  void Pause(Time how_long) { paused_until_ = world_.now() + how_long; }
  [[nodiscard]] std::uint64_t resets() const { return engine_.counters().resets; }

 private:
  struct Held {
    Row row;
    std::uint32_t attempts;
  };

  static engine::Settings MakeSettings(const Scenario& s, int id) {
    engine::Settings settings;
    settings.batch_events = 20;
    settings.window_events = 100;
    settings.policies[0].max_attempts = 4;
    settings.policies[0].on_exhausted = s.on_exhausted;
    settings.delivery_timeout = 5 * kSecond;
    settings.sweep_interval = kForever;  // a safety net would hide what must not be needed
    settings.lane_idle = s.first_flight_alone ? 3600 * kSecond : 3 * kForever;
    settings.seed = s.seed * 31 + static_cast<std::uint64_t>(id);
    return settings;
  }

  // Whatever reaches a paused process waits; what reaches a dead one is lost.
  void Turn(std::function<void()> input) {
    if (dead_) return;
    if (world_.now() < paused_until_) {
      world_.After(paused_until_ - world_.now(), [self = shared_from_this(), input] { self->Turn(input); });
      return;
    }
    engine_.Advance(world_.now());
    input();
    engine_.TakeCommands([this](const Command& c, std::span<const EventIndex> events,
                                std::span<const engine::FailedEvent> failures) { Execute(c, events, failures); });
    const Time next = engine_.NextDeadline();
    if (next >= kForever || (alarm_ > world_.now() && alarm_ <= next)) return;
    alarm_ = std::max(next, world_.now() + 1);
    world_.After(alarm_ - world_.now(), [self = shared_from_this()] { self->Turn([] {}); });
  }

  void Beat() {
    if (dead_) return;
    if (world_.now() >= paused_until_ && !world_.Chance(scenario_.storage_fault)) {
      const Time asked = world_.now();
      const auto lease = store_.Heartbeat(id_, kLease);
      if (world_.Chance(scenario_.storage_fault)) {
        // The answer is lost: the store thinks that it is renewed, the relay does not.
      } else if (!lease) {
        token_.reset();
        Turn([this] { engine_.LeaseLost(); });
      } else {
        if (token_ && *token_ != lease->token) Turn([this] { engine_.LeaseLost(); });
        token_ = lease->token;
        Turn([this, asked] { engine_.LeaseHeld(asked + kLease); });
      }
    }
    world_.After(kLease / 4, [self = shared_from_this()] { self->Beat(); });
  }

  void Execute(const Command& c, std::span<const EventIndex> events, std::span<const engine::FailedEvent> failures) {
    switch (c.what) {
      case Do::kReserve:
        Reserve(c.sweep);
        break;
      case Do::kPublish:
        for (const EventIndex e : events) {
          const Held& held = HeldOf(e);
          producer_.Publish(LaneOf(held.row), held.row, e);
        }
        break;
      case Do::kReset:
        producer_.Reset(c.epoch);
        break;
      case Do::kConfirm: {
        std::vector<RowId> ids;
        for (const EventIndex e : events) ids.push_back(HeldOf(e).row.id);
        Store(Write::kConfirm, [this, ids] {
          store_.Confirm(ids);
          return true;
        });
        break;
      }
      case Do::kFail: {
        std::vector<ModelStore::Failure> rows;
        for (const auto& f : failures) rows.push_back({HeldOf(f.event).row.id, f.disposition, f.retry_after});
        Store(Write::kFail, [this, rows, token = token_.value_or(0)] { return store_.Fail(id_, token, rows); });
        break;
      }
      case Do::kRelease:
        break;
      case Do::kForget:
        for (const EventIndex e : events) forgotten_.push_back(HeldOf(e).row.id);
        break;
      case Do::kFreeBatch:
        batches_.erase(c.batch);
        break;
      case Do::kRetired:
        // Only a lease gained after everything was settled counts.
        if (token_) world_.After(1, [self = shared_from_this()] { self->Beat(); });
        break;
    }
  }

  void Reserve(bool sweep) {
    for (const RowId id : forgotten_) in_hand_.erase(id);
    forgotten_.clear();
    if (world_.Chance(scenario_.storage_fault)) {
      world_.After(world_.Between(100, 50'000), [self = shared_from_this()] {
        self->position_ = {};
        self->Turn([self] { self->engine_.ReserveFailed(OUTBOX_UNAVAILABLE); });
      });
      return;
    }
    // The snapshot is taken now, the answer comes later.
    world_.After(world_.Between(10, 2'000), [self = shared_from_this(), sweep] {
      if (self->dead_) return;
      bool more = false;
      auto rows = self->store_.Read(
          self->position_, sweep, 20, [&](RowId id) { return self->in_hand_.contains(id); }, more);
      for (const auto& r : rows) self->in_hand_.insert(r.row.id);
      self->world_.After(self->world_.Between(10, 2'000),
                         [self, rows, more] { self->Turn([self, rows, more] { self->Arrived(rows, more); }); });
    });
  }

  void Arrived(const std::vector<ModelStore::ReadRow>& rows, bool more) {
    std::vector<engine::Incoming> incoming;
    std::vector<Held> held;
    for (const auto& r : rows) {
      incoming.push_back({static_cast<std::uint64_t>(r.row.key), r.row.key != kNoKey, r.attempts, LaneOf(r.row),
                          r.row.poison == Poison::kUnsendable || (r.row.poison == Poison::kMending && r.attempts < 1)});
      held.push_back({r.row, r.attempts});
    }
    const auto b = engine_.Reserved({rows.size() * 100, more, false, kForever}, incoming);
    batches_[b] = std::move(held);
  }

  // A write takes effect at some moment, and its answer may be lost.
  void Store(Write what, std::function<bool()> effect) {
    world_.After(world_.Between(10, 3'000), [self = shared_from_this(), what, effect] {
      if (self->dead_) return;
      const bool fails = self->world_.Chance(self->scenario_.storage_fault);
      outbox_code code = fails ? OUTBOX_TIMEOUT : OUTBOX_OK;
      if ((!fails || self->world_.Chance(0.5)) && !effect() && !fails) code = OUTBOX_LEASE_LOST;
      self->world_.After(self->world_.Between(10, 3'000),
                         [self, what, code] { self->Turn([self, what, code] { self->engine_.Written(what, code); }); });
    });
  }

  const Held& HeldOf(EventIndex e) { return batches_.at(engine_.BatchOf(e))[engine_.PositionOf(e)]; }
  publish::Lane LaneOf(const Row& row) const {
    const auto spread = row.key == kNoKey ? row.id : static_cast<RowId>(row.key);
    return static_cast<publish::Lane>(spread % static_cast<RowId>(scenario_.lanes));
  }

  World& world_;
  ModelStore& store_;
  const Scenario& scenario_;
  const int id_;
  Engine engine_;
  ModelProducer producer_;
  std::optional<std::uint64_t> token_;
  ModelStore::Position position_;
  std::set<RowId> in_hand_;
  std::vector<RowId> forgotten_;
  std::map<engine::BatchIndex, std::vector<Held>> batches_;
  Time alarm_ = 0, paused_until_ = 0;
  bool dead_ = false;
};

// Writers take ids, stay open for a while, and commit or roll back; one open transaction a key.
class Writers {
 public:
  Writers(World& world, ModelStore& store, const Scenario& scenario)
      : world_(world), store_(store), scenario_(scenario) {}

  void Start() { Next(); }
  [[nodiscard]] bool done() const { return begun_ == scenario_.events && open_ == 0; }
  std::set<RowId> rolled_back;

 private:
  void Next() {
    if (begun_ >= scenario_.events) return;
    const auto n = std::min<std::uint32_t>(1 + static_cast<std::uint32_t>(world_.Random(4)), scenario_.events - begun_);
    std::vector<Row> rows;
    std::set<int> locked;
    const bool rolls_back = world_.Chance(scenario_.roll_back);
    for (std::uint32_t i = 0; i < n; ++i) {
      const int key = world_.Chance(scenario_.no_key)
                          ? kNoKey
                          : static_cast<int>(world_.Random(static_cast<std::uint64_t>(scenario_.keys)));
      ++begun_;
      if (key != kNoKey && busy_.contains(key) && !locked.contains(key))
        continue;  // a writer that would wait: leave it out
      if (key != kNoKey) locked.insert(key);
      Row row{store_.TakeId(), key, 0, Poison::kNone};
      if (world_.Chance(scenario_.poison)) row.poison = static_cast<Poison>(1 + world_.Random(4));
      rows.push_back(row);
    }
    for (const int key : locked) busy_.insert(key);
    ++open_;
    const Time stays = world_.Chance(0.1) ? world_.Between(0, 2 * kSecond) : world_.Between(0, 5 * kMillisecond);
    world_.After(stays, [this, rows, locked, rolls_back]() mutable {
      --open_;
      for (const int key : locked) busy_.erase(key);
      if (rolls_back) {
        for (const Row& r : rows) rolled_back.insert(r.id);
        return;
      }
      for (Row& r : rows) r.sequence = r.key == kNoKey ? 0 : sequence_[r.key]++;
      store_.Commit(rows);
    });
    world_.After(world_.Chance(0.1) ? world_.Between(0, 3 * kSecond) : world_.Between(0, 4 * kMillisecond),
                 [this] { Next(); });
  }

  World& world_;
  ModelStore& store_;
  const Scenario& scenario_;
  std::uint32_t begun_ = 0;
  int open_ = 0;
  std::set<int> busy_;
  std::map<int, std::uint32_t> sequence_;
};

// Looks only at what was committed, at the log and at the tables.
std::string Check(const ModelStore& store, const ModelBroker& broker, const Writers& writers, const Scenario& s,
                  Verdict& verdict) {
  std::map<RowId, const Row*> committed;
  for (const Row& r : store.committed()) committed[r.id] = &r;
  std::map<RowId, int> seen;
  std::map<int, std::set<std::uint32_t>> sequences;
  std::map<int, std::map<std::uint32_t, RowId>> of_key;
  for (const Row& r : store.committed()) {
    if (r.key != kNoKey) of_key[r.key][r.sequence] = r.id;
  }
  for (const auto& lane : broker.log) {
    for (const Row& row : lane) {
      const auto name = "row " + std::to_string(row.id) + " of key " + std::to_string(row.key);
      if (writers.rolled_back.contains(row.id)) return "ghost: " + name + " was rolled back";
      if (!committed.contains(row.id)) return "ghost: " + name;
      if (seen[row.id]++ > 0) {
        ++verdict.duplicates;
        continue;
      }
      ++verdict.delivered;
      if (row.key == kNoKey) continue;
      const std::uint32_t sequence = committed[row.id]->sequence;
      for (const auto& [earlier, id] : of_key[row.key]) {
        if (earlier >= sequence) break;
        if (!seen.contains(id) && !store.dead().contains(id))
          return "order: " + name + " before row " + std::to_string(id);
      }
    }
  }
  if (store.Movable() > 0) return "stuck: " + std::to_string(store.Movable()) + " rows that nothing holds back";
  std::map<int, std::uint32_t> blocked_from;
  for (const Row& r : store.committed()) {
    if (r.key != kNoKey && store.IsBlocked(r.id)) {
      const auto [at, fresh] = blocked_from.try_emplace(r.key, r.sequence);
      if (!fresh) at->second = std::min(at->second, r.sequence);
    }
  }
  for (const Row& r : store.committed()) {
    const bool behind = r.key != kNoKey && blocked_from.contains(r.key) && r.sequence >= blocked_from[r.key];
    if (seen.contains(r.id) || store.dead().contains(r.id) || behind || store.IsBlocked(r.id)) continue;
    return "lost: row " + std::to_string(r.id);
  }
  if (!s.Faulty() && verdict.duplicates > 0) return std::to_string(verdict.duplicates) + " duplicates without a fault";
  return "";
}

}  // namespace

Verdict Run(const Scenario& scenario) {
  World world(scenario.seed);
  ModelStore store(world);
  ModelBroker broker(scenario.lanes);
  Writers writers(world, store, scenario);
  std::vector<std::shared_ptr<RelayProcess>> relays;
  int next_id = 0;
  Verdict verdict;
  const auto start = [&] {
    auto relay = std::make_shared<RelayProcess>(world, store, broker, scenario, next_id++);
    relay->Start();
    return relay;
  };
  for (int i = 0; i < scenario.relays; ++i) relays.push_back(start());
  writers.Start();

  // Trouble ends some time after the writers: then everything has to drain.
  std::vector<std::shared_ptr<RelayProcess>> graveyard;
  std::function<void()> nemesis = [&] {
    if (world.now() > 60 * kSecond) return;
    for (auto& relay : relays) {
      if (world.Chance(scenario.pause)) relay->Pause(world.Between(kLease / 2, 2 * kLease));
      if (world.Chance(scenario.crash)) {
        relay->Kill();
        verdict.resets += relay->resets();
        graveyard.push_back(relay);
        relay = start();
      }
    }
    world.After(100 * kMillisecond, nemesis);
  };
  nemesis();

  const auto settled = [&] { return world.now() > 65 * kSecond && writers.done() && store.Movable() == 0; };
  while (world.now() < kDrainBound && !settled() && world.Step()) {
  }
  for (auto& relay : relays) {
    verdict.resets += relay->resets();
    relay->Kill();
  }
  while (world.Step()) {  // requests still on the wire
  }
  verdict.broken = Check(store, broker, writers, scenario, verdict);
  return verdict;
}

}  // namespace outbox::simulation
