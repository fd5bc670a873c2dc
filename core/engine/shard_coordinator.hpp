// Decides which shards a relay delivers: when to send heartbeats, which shards to begin, in which order to start them
// slowly, what to hand over, and how to stop. It has no thread, no clock and no I/O: the daemon (runtime::Relay) and the
// simulator run it in a shell that carries its commands out.
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
    bool has_leases = true;  // false: the plugin has no leases, and shard 0 is held for ever
#ifdef OUTBOX_MUTANTS
    Mutant mutant = Mutant::kNone;
#endif
  };
  explicit ShardCoordinator(const Settings& settings) : settings_(settings) {}

  // ---- inputs; each is preceded by Advance ----

  // `now`: a clock that goes on while the machine is suspended.
  void Advance(Time now);
  // The first input after Advance. REQUIRES: the runner of shard 0 exists.
  void Start();
  // `lease` is read only if `code` is OUTBOX_OK. It is counted from when the heartbeat was asked for, as the answer may
  // have taken long. OUTBOX_UNSUPPORTED, of the first one: the store as it is configured leases no shards; see HoldForever.
  void HeartbeatAnswered(outbox_code code, const Lease& lease);
  // `lost` is read only if `code` is OUTBOX_OK.
  void WasLostAnswered(outbox_code code, bool lost);
  void RunnerMade(bool made);
  void ShardsReleased(outbox_code code);
  // The runner has nothing of the shard outstanding under `token`, or for kStop nothing at all, and will not.
  void Released(std::uint32_t shard, std::uint64_t token, ReleaseReason reason);
  // The first steps of the slow start under `token` are over.
  void FirstStepsOver(std::uint32_t shard, std::uint64_t token);
  // Half of the time until `deadline` is for answers that are under way, the rest for confirming them and for releasing
  // the shards.
  void Stop(Time deadline);

  // ---- outputs ----

  [[nodiscard]] std::vector<shards::Command> TakeCommands() { return std::exchange(commands_, {}); }
  [[nodiscard]] Time NextDeadline() const;
  // What is broken, for tests and the simulator; empty if nothing is.
  [[nodiscard]] std::string CheckInvariants() const;

 private:
  friend struct CoordinatorProbe;  // of the simulator

  // INVARIANT: at most one call is under way.
  enum class Call : std::uint8_t { kNone, kHeartbeat, kWasLost, kMakeRunner, kHandOver, kLeave, kLeft };
  enum class Phase : std::uint8_t {
    kGained,       // held, and not begun: it waits for the query, a runner, or the end of another shard's first steps
    kRunning,      // its runner delivers
    kHandingOver,  // its runner finishes what is in flight
    kReleased,     // nothing of it is outstanding: to be released in the database
  };
  // INVARIANT: a shard that is kRunning or kHandingOver has a runner.
  struct Held {
    std::uint64_t token;
    Time until;
    Phase phase = Phase::kGained;
  };

  // Of a store without leases of shards: it knows no other relay, or marks the rows that it gives to each. There is one shard.
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

  // Of the heartbeat.
  Time next_beat_ = kForever, asked_ = 0;
  bool soon_ = false;  // the next one is due when the call under way has ended
  bool met_database_ = false;
  bool leased_ = true;          // heartbeats go on; only for CheckInvariants
  std::uint32_t failures_ = 0;  // in a row
  std::uint32_t shards_ = 1;    // of the outbox
  std::uint32_t share_ = 1;     // of each relay

  // INVARIANT: after an answer, held_ is what the answer says.
  std::map<std::uint32_t, Held> held_;
  // INVARIANT: nothing is to be begun while the relay stops.
  std::deque<std::uint32_t> to_begin_;
  std::pair<std::uint32_t, bool> making_;  // the shard whose runner is being made, and whether it is to start slowly
  std::set<std::uint32_t> runners_;
  std::vector<outbox_owned_shard> released_;  // by the call under way, to be handed over
  // INVARIANT: one shard at a time is in the first steps of a slow start, so that a crash has one suspect. It is held under
  // this token and has been begun, or its runner is being made.
  std::optional<std::pair<std::uint32_t, std::uint64_t>> first_steps_;

  // INVARIANT: a shard of which something is unresolved is never released in the database.
  bool stopping_ = false, complete_ = false;
  Time stop_by_ = kForever;
  std::set<std::uint32_t> stopped_;  // INVARIANT: a part of runners_
  int tries_left_ = 0;               // of the ReleaseShards of a stop

  bool reported_standby_ = false, reported_namesake_ = false;
  Time namesake_since_ = kForever;
};

}  // namespace outbox::engine
