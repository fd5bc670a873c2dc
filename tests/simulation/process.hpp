// Models the threads of the daemon around the decisions that it shares with the simulator: a process, and one shard
// that a relay delivers in it. The queue of the world takes the place of the threads.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_set>
#include <vector>

#include "tests/simulation/coverage.hpp"
#include "tests/simulation/model_broker.hpp"
#include "tests/simulation/model_store.hpp"

namespace outbox::simulation {

inline constexpr Time kLease = 3 * kSecond, kPoll = 250 * kMillisecond;

// The objects that every part of a run uses.
struct Parts {
  World& world;
  Chances& chances;
  Ledger& ledger;
  History& history;
  ModelStore& store;
  ModelBroker& broker;
  const Scenario& scenario;
  Coverage* coverage = nullptr;  // Null if nobody asks for it.
};

// One program. While it is paused, its work waits; when it is dead, its work ends. Its clock has an offset and a rate
// of its own.
class Process {
 public:
  Process(Parts parts, RelayId id);

  [[nodiscard]] Time Local() const { return LocalAt(parts.world.now()); }
  [[nodiscard]] Time WorldAt(Time local) const;
  [[nodiscard]] Time Awake() const { return paused_until_; }

  // Runs f now, or when the process goes on after a pause. f has to keep alive what it uses.
  template <class F>
  void Do(F f) {
    if (dead) return;
    if (parts.world.now() < paused_until_)
      parts.world.At(paused_until_, [this, f] { Do(f); });
    else
      f();
  }
  // A call to the database; `effect` returns a code. Faults decide when the call takes effect and whether its answer
  // arrives. A write that timed out may still be carried out by the server, later.
  enum class Kind : std::uint8_t { kRead, kWrite };
  template <class Effect, class Answer>
  void Call(Kind kind, Effect effect, Answer answer);

  Parts parts;
  const RelayId id;
  bool dead = false;
  std::function<void()> crash;  // Called for a crash that the process causes itself.
  Time paused_until_ = 0;
  // When its lease ends according to the last answer that arrived, by the world's clock. An answer may be lost.
  Time lease_end = 0;
  bool database_answers = true;  // The last call was answered.
  // How far the machine's wall clock is ahead. It may be set at any time, and nothing may depend on it.
  Time wall_ahead = 0;

 private:
  [[nodiscard]] Time LocalAt(Time world) const { return offset_ + world + world * permille_ / 1000; }
  const Time offset_, permille_;
};

template <class Effect, class Answer>
void Process::Call(Kind kind, Effect effect, Answer answer) {
  World& world = parts.world;
  const bool fails = parts.store.down() || parts.chances.Happens(Chance::kStorageError, parts.scenario.storage_error);
  enum { kFirst, kLate, kNever } takes_effect = kFirst;
  if (fails) takes_effect = parts.store.down() ? kNever : static_cast<decltype(takes_effect)>(world.Below(3));
  if (takes_effect == kLate && kind == Kind::kWrite)
    world.After(world.Between(1, 2 * kSecond), [effect] { (void)effect(); });
  world.After(world.Between(10, 3'000), [this, effect, answer, fails, takes_effect] {
    // True if the server gets the call although the process may have died or paused meanwhile.
    const bool asked = !dead && parts.world.now() >= paused_until_;
    const auto act = [this, effect, answer, fails, takes_effect] {
      outbox_code code = takes_effect == kFirst ? effect() : OUTBOX_OK;
      if (fails) code = OUTBOX_TIMEOUT;
      parts.world.After(parts.world.Between(10, 3'000), [this, answer, code] {
        Do([this, answer, code] {
          database_answers = code != OUTBOX_TIMEOUT;
          answer(code);
        });
      });
    };
    if (asked || parts.world.Coin())
      act();
    else
      Do(act);
  });
}

// The delivery of one shard: engine, producer and reading position, as ShardRunner, Reader and Writer have them in the
// daemon.
class ShardProcess {
 public:
  using Released = std::function<void(std::uint32_t shard, std::uint64_t token, engine::ReleaseReason reason)>;
  using FirstStepsOver = std::function<void(std::uint32_t shard, std::uint64_t token)>;
  ShardProcess(Process& process, std::uint32_t shard, Position start, Released released,
               FirstStepsOver first_steps_over);
  ~ShardProcess() {
    if (parts_.coverage != nullptr) parts_.coverage->Add(engine_);
  }
  ShardProcess(const ShardProcess&) = delete;
  ShardProcess& operator=(const ShardProcess&) = delete;

  void Hold(std::uint64_t token, Time until, bool slow_start);
  void Release(engine::ReleaseReason reason, std::uint64_t token, Time until);
  void Die() {
    dead_ = true;
    producer_.Kill();
  }

  [[nodiscard]] const engine::Engine& engine() const { return engine_; }
  [[nodiscard]] const Position& position() const { return position_; }

 private:
  template <class F>
  void Turn(F input);
  void Wake();
  // Carry out the engine's commands, as ShardRunner does.
  void Execute(const engine::command::Reserve& command);
  void Execute(const engine::command::Publish& command);
  void Execute(const engine::command::Reset& command);
  void Execute(const engine::command::Confirm& command);
  void Execute(const engine::command::Fail& command);
  void Execute(const engine::command::Release& command);
  void Execute(const engine::command::Mark& command);
  void Execute(const engine::command::Remove& command);
  void Execute(const engine::command::Detach& command);
  void Execute(const engine::command::Forget& command);
  void Execute(const engine::command::FreeBatch& command);
  void Execute(const engine::command::Released& command);
  [[nodiscard]] Time TimeLeft() const;
  void ReserveMarked(bool skip_retries);
  void Arrived(const Snapshot& snapshot, std::uint32_t mode);
  // The answer to a read, as the engine receives it.
  struct Reading {
    std::vector<Found> rows = {};
    bool more = false;
    std::uint32_t reached = OUTBOX_RESCAN_DONE;
    std::uint64_t token = 0;
    Time until = kForever, at = 0;
  };
  void Bring(const Reading& reading);
  // Models what a relay knows of topics. The reader knows an answer before the engine is notified of it.
  [[nodiscard]] std::vector<bool> AwaitTopics(const std::vector<Found>& rows);
  void AskForTopic(std::size_t topic);
  [[nodiscard]] bool MaySend(const Row& row) const;
  void CheckWindow(std::uint32_t rows) const;
  void CheckFairness(const Snapshot& snapshot, const std::vector<Found>& rows);
  [[nodiscard]] publisher::Lane LaneOf(const Row& row, std::uint32_t lanes) const;
  [[nodiscard]] const Found& Held(engine::EventIndex e) const;
  [[nodiscard]] std::vector<Row> Rows(std::span<const engine::EventIndex> events) const;

  Process& process_;
  Parts parts_;
  const std::uint32_t shard_;
  const Released released_;
  const FirstStepsOver first_steps_over_;
  const engine::Settings settings_;
  engine::Engine engine_;
  ModelProducer producer_;
  Position position_;
  Rescan rescan_;
  struct LeftOut {
    std::size_t asked_for = 0, most = 0;
  };
  // Events that reads have left out: how many rows these reads asked for, and how many they may ask for.
  std::map<EventNumber, LeftOut> left_out_;
  std::unordered_set<RowId> outstanding_;
  std::vector<RowId> forgotten_;
  bool slow_read_ = false;   // The read under way is a step of a slow start.
  std::uint32_t lanes_ = 0;  // How many partitions the topics have, as far as this relay knows.
  static constexpr std::size_t kTopics = 3;
  enum class Topic : std::uint8_t { kUnknown, kAskedFor, kKnown };
  std::array<Topic, kTopics> topics_{};
  // Events, and keys of events, that have waited for information about their topics. They are read again, possibly out
  // of turn.
  std::set<EventNumber> waited_;
  std::set<int> waited_keys_;
  struct Batch {
    std::vector<Found> rows;
    std::uint32_t lanes = 1;
    std::uint64_t token = 0;
    Time read_at = 0, until = kForever;
  };
  bool dead_ = false;                         // It was removed, or its process has ended.
  std::optional<std::uint64_t> first_steps_;  // The token of a slow start that is still in its first steps.
  std::uint32_t asked_for_ = 0;               // How many rows the read under way asked for.
  std::uint64_t reads_ = 0;                   // The number of reads, where rows are marked.
  std::vector<Batch> batches_;
  std::map<engine::EventIndex, Row> failed_;  // Events whose failure is not recorded yet.
  Time alarm_ = 0;
};

}  // namespace outbox::simulation
