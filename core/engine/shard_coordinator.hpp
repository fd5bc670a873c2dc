// Decides which shards a relay delivers: when to send heartbeats, which shards to begin, in which order to start them
// slowly, which shards to hand over, and how to stop. The coordinator has no thread, no clock and no I/O: its shells,
// the daemon (runtime::Relay) and the simulator, own it and carry out its commands. Thread: any, one call at a time.
//
//   coordinator.Advance(now);
//   coordinator.HeartbeatAnswered(OUTBOX_OK, lease);  // or any other input
//   for (const shards::Command& command : coordinator.TakeCommands()) ...
//   // call Advance again at NextDeadline()
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/shard_commands.hpp"

namespace outbox::engine {

class ShardCoordinator {
 public:
  struct Settings {
    Time lease, poll_interval;
    bool has_leases = true;  // false if the plugin has no leases; shard 0 is then held forever
#ifdef OUTBOX_MUTANTS
    Mutant mutant = Mutant::kNone;
#endif
  };
  explicit ShardCoordinator(const Settings& settings) : settings_(settings) {}

  // ---- inputs; REQUIRES: each is preceded by a call of Advance ----

  // Sets the current time. REQUIRES: `now` is the time of a clock that continues while the machine is suspended.
  void Advance(Time now);
  // Starts the relay. REQUIRES: this is the first input after Advance, and the runner of shard 0 exists.
  void Start();
  // Takes the answer to shards::Heartbeat. `lease` is read only if `code` is OUTBOX_OK. The time that is left of the
  // lease counts from the moment when the heartbeat was requested, because the answer may have taken long.
  // OUTBOX_UNSUPPORTED, before any heartbeat has succeeded, means that the store, as it is configured, has no leases of
  // shards; see HoldForever.
  void HeartbeatAnswered(outbox_code code, const Lease& lease);
  // Takes the answer to shards::AskWasLost. `lost` is read only if `code` is OUTBOX_OK.
  void WasLostAnswered(outbox_code code, bool lost);
  void RunnerMade(bool made);
  void ShardsReleased(outbox_code code);
  // Notes that no event of the shard is outstanding in the runner under `token`, and that none will be again. For kStop
  // this holds for every token.
  void Released(std::uint32_t shard, std::uint64_t token, ReleaseReason reason);
  // Notes that the first steps of the slow start under `token` are over.
  void FirstStepsOver(std::uint32_t shard, std::uint64_t token);
  // Stops the relay. Half of the time until `deadline` is for the broker's answers about events in flight, the rest for
  // confirming these events and for releasing the shards.
  void Stop(Time deadline);

  // ---- outputs ----

  [[nodiscard]] std::vector<shards::Command> TakeCommands() { return std::exchange(commands_, {}); }
  [[nodiscard]] Time NextDeadline() const;
  // Returns a text that names a broken invariant, or an empty text if all invariants hold. Used by tests and the
  // simulator.
  [[nodiscard]] std::string CheckInvariants() const;

 private:
  friend struct CoordinatorProbe;  // gives the simulator access to private fields

  // INVARIANT: at most one call is under way.
  enum class Call : std::uint8_t { kNone, kHeartbeat, kWasLost, kMakeRunner, kHandOver, kLeave, kLeft };
  enum class Phase : std::uint8_t {
    // The relay holds the shard and has not begun it. The shard waits for the answer to AskWasLost, for a runner, or
    // for the end of another shard's first steps.
    kGained,
    kRunning,      // the runner delivers the shard
    kHandingOver,  // the runner finishes the events in flight, so that another relay can own the shard
    kReleased,     // no event is outstanding, and the shard has to be released in the database
  };
  // INVARIANT: a shard that is kRunning or kHandingOver has a runner.
  struct Held {
    std::uint64_t token;
    Time until;
    Phase phase = Phase::kGained;
  };

  // Holds shard 0 forever, for a store without leases of shards. Such a store does not know of other relays, or it
  // marks the rows that it gives to each relay. It has only one shard.
  void HoldForever();
  void Beat();
  void AskHeartbeat();
  void Renew(const Lease& lease);
  void RenewShard(const outbox_owned_shard& owned, Time until);
  void HandOver(std::uint32_t shard, Held& held);
  void Lose(std::uint32_t shard, const Held& held);
  void Resize(std::uint32_t shards);
  void BeginNext();
  void Begin(std::uint32_t shard, bool slow_start);
  void NoteNamesakes(std::uint32_t namesakes);
  void Rest(Time wait);
  void BeatSoon();
  void TryLeave();
  void AskLeave();
  void Leave();
  [[nodiscard]] std::string CheckFirstSteps() const;
  [[nodiscard]] Time NextBeat() const;
  [[nodiscard]] Time NextTry();
  [[nodiscard]] bool Resolved() const { return stopped_.size() == runners_.size(); }

  const Settings settings_;
  std::vector<shards::Command> commands_;
  Time now_ = 0;
  Call call_ = Call::kNone;

  // The state of the heartbeat.
  Time next_beat_ = kForever, asked_ = 0;  // when the next heartbeat is due, and when the last one was requested
  bool soon_ = false;                      // true if the next heartbeat is due as soon as the call under way has ended
  bool met_database_ = false;              // true if a heartbeat has succeeded
  bool leased_ = true;                     // true if heartbeats are sent; used only by CheckInvariants
  std::uint32_t failures_ = 0;             // number of consecutive failed heartbeats
  std::uint32_t shards_ = 1;               // number of shards of the outbox
  std::uint32_t share_ = 1;                // number of shards for each relay

  // INVARIANT: after the answer to a heartbeat, held_ contains exactly the shards that the answer names.
  std::map<std::uint32_t, Held> held_;
  // The shards that are to be begun, in this order. INVARIANT: it is empty while the relay stops.
  std::deque<std::uint32_t> to_begin_;
  std::pair<std::uint32_t, bool> making_;  // the shard whose runner is being made, and true if it is to start slowly
  std::set<std::uint32_t> runners_;
  std::vector<outbox_owned_shard> released_;  // the shards that the call under way releases for a hand-over
  // The shard that is in the first steps of a slow start, and the token under which it is held. INVARIANT: at most one
  // shard at a time is in its first steps, so that a crash identifies one event. The shard has been begun, or its
  // runner is being made.
  std::optional<std::pair<std::uint32_t, std::uint64_t>> first_steps_;

  // INVARIANT: a shard that has unresolved events is never released in the database.
  bool stopping_ = false, complete_ = false;
  Time stop_by_ = kForever;
  std::set<std::uint32_t> stopped_;  // the shards whose runners have stopped. INVARIANT: it is a subset of runners_
  int tries_left_ = 0;               // number of attempts that remain for the ReleaseShards of a stop

  bool reported_standby_ = false, reported_namesake_ = false;
  Time namesake_since_ = kForever;
};

}  // namespace outbox::engine
