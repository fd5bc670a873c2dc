// Models one process of the daemon, and one shard that a relay delivers in the process. The daemon's own code makes
// the decisions; the simulator shares that code, and calls it from the queue of the world instead of from the daemon's
// threads.
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
  Coverage* coverage = nullptr;  // Null if transitions are not counted.
};

// A process. Its work waits while the process is paused, and ends when the process is dead. Each process has a clock
// with an offset and a rate of its own.
class Process {
 public:
  Process(Parts parts, RelayId id);

  [[nodiscard]] Time Local() const { return LocalAt(parts.world.now()); }
  [[nodiscard]] Time WorldAt(Time local) const;
  [[nodiscard]] Time Awake() const { return paused_until_; }

  // Calls f now or, if the process is paused, when the pause ends. If the process is dead by then, does not call f.
  // The objects that f uses have to live until the end of the pause.
  template <class F>
  void Do(F f) {
    if (dead) return;
    if (parts.world.now() < paused_until_)
      parts.world.At(paused_until_, [this, f] { Do(f); });
    else
      f();
  }
  enum class Kind : std::uint8_t { kRead, kWrite };
  // Makes a call to the database: `effect` changes the model and returns a code, which `answer` receives. Faults
  // decide when the call takes effect and whether its answer arrives. The server may execute a write after the call
  // has timed out.
  template <class Effect, class Answer>
  void Call(Kind kind, Effect effect, Answer answer);

  Parts parts;
  const RelayId id;
  bool dead = false;
  std::function<void()> crash;  // Called when the process itself causes its crash.
  Time paused_until_ = 0;
  // The end of the process's lease by the world's clock, according to the last answer that arrived. Later answers may
  // have been lost.
  Time lease_end = 0;
  bool database_answers = true;  // True if the last call was answered.
  // How far the machine's wall clock is ahead of the world's. It may be set at any time, and nothing may depend on it.
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
    // True if the process is neither dead nor paused. For a dead or paused process, chance decides whether the server
    // still gets the call now. If the server does not, a paused process makes the call after the pause.
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

// Delivers one shard with an engine, a producer and a reading position, as ShardRunner, Reader and Writer do in the
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
  // The Execute functions execute the engine's commands, as ShardRunner does in the daemon.
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
  // Returns a value for each row: true if the row waits for information about its topic. The call models the daemon's
  // reader, which knows an answer about a topic before the engine is notified of the answer.
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
  // Events that reads could have returned but have left out (invariant I9, fairness). `asked_for` is the number of
  // rows that these reads asked for, and `most` is the limit of that number.
  std::map<EventNumber, LeftOut> left_out_;
  std::unordered_set<RowId> outstanding_;
  std::vector<RowId> forgotten_;
  bool slow_read_ = false;   // True if the read under way is a step of a slow start.
  std::uint32_t lanes_ = 0;  // Number of partitions of each topic, as far as this relay knows.
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
  bool dead_ = false;                         // True if the shard was removed or its process has ended.
  std::optional<std::uint64_t> first_steps_;  // The token of a slow start that is still in its first steps.
  std::uint32_t asked_for_ = 0;               // Number of rows that the read under way asks for.
  std::uint64_t reads_ = 0;                   // Number of reads; counted only where rows are marked.
  std::vector<Batch> batches_;
  std::map<engine::EventIndex, Row> failed_;  // Events whose failure is not recorded yet.
  Time alarm_ = 0;
};

}  // namespace outbox::simulation
