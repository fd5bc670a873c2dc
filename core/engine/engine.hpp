// The state machine that delivers the events of one shard. It has no thread, clock, I/O or random source of its own:
// the caller reports by method calls what has happened, and TakeCommands passes on the commands to carry out next. The
// daemon and the simulator run the same code.
//
// The parts are the members of Engine and are used on its thread. Each part owns its fields and states its invariants
// in its header; the engine connects them. Two rules preserve the order of events:
//
// 1. The stream of a shard has no gaps and begins at or below the shard's oldest event that is not in its topic yet. So
//    every problem at the broker has the same remedy, a reset (send_window.hpp, ResetStream).
// 2. An event is passed over only after its failure is recorded under a valid lease. Until then the key of the event is
//    held (key_holds.hpp, Fail and FailureAnswered).
//
// Thread: engine, which is one thread for each shard. Nothing here blocks or throws.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "engine/backoff.hpp"
#include "engine/command.hpp"
#include "engine/confirms.hpp"
#include "engine/counters.hpp"
#include "engine/event_table.hpp"
#include "engine/failure_records.hpp"
#include "engine/key_holds.hpp"
#include "engine/read_scheduler.hpp"
#include "engine/removals.hpp"
#include "engine/send_window.hpp"
#include "engine/settings.hpp"
#include "engine/shard_lease.hpp"
#include "engine/slow_start.hpp"
#include "engine/trials.hpp"

namespace outbox::engine {

class Engine {
 public:
  explicit Engine(const Settings& settings);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Sets the current time. A time that goes backwards is ignored. REQUIRES: this is the first call of every turn.
  void Advance(Time now) { now_ = std::max(now_, now); }

  // ---- the lease ----
  // Begins a lease or renews it; see ShardLease::Hold.
  void Hold(std::uint64_t token, Time until, bool slow_start);
  // Releases the shard. `until` is the end of the lease for kHandOver and the deadline for kStop. For kHandOver and
  // kStop the engine answers once, with command::Released.
  void Release(ReleaseReason reason, std::uint64_t token, Time until);

  // ---- answers to commands ----
  // Takes the answer to command::Reserve. The returned index identifies the batch until a FreeBatch command names it.
  BatchIndex Reserved(const Reservation& reservation, std::span<const Incoming> events);
  void ReserveFailed(outbox_code code);
  // Takes the answer to a write of kind kConfirm, kFail or kRelease. For a confirm, `kept` has one element for each
  // event, which is 1 if the event's row is still in the outbox; if `kept` is empty, all rows are removed.
  void Written(Write what, outbox_code code, std::span<const std::uint8_t> kept = {});
  // Takes the answer to command::Remove. `rows` is the number of rows that were removed.
  void Removed(outbox_code code, std::uint64_t rows);
  // Takes the answer to command::Mark. `owners` is the number of consecutive owners that have marked the event,
  // including this relay.
  void Marked(outbox_code code, std::uint32_t owners);
  void Reported(std::span<const publisher::Report> reports);
  void ResetDone(std::uint32_t epoch);

  // ---- events ----
  // Resets the main stream, because its producer cannot send any more. The reset counts as an outage, unless a refusal
  // is among the reports that arrive before ResetDone: the client library announces the end of its producer before it
  // reports the refusal that caused it.
  void ProducerFailed() { ResetStream(true); }
  // Resets the main stream, because its producer must be replaced before it sends more. The reset does not count as an
  // outage of the broker.
  void ProducerOutdated() { ResetStream(false); }
  // Makes the engine poll soon, because rows may have been committed. Does not shorten the pause after a failed read or
  // an outage.
  void Wake() { reads_.Wake(now_); }
  // Notes that more is known about topics now: the events that were dropped because their topics were not known
  // (Incoming::waits) are read again.
  void TopicsKnown() { reads_.TopicsKnown(now_); }

  // Chooses the next commands and calls f(command) for each of them, oldest first.
  template <class F>
  void TakeCommands(F f);
  // Returns the time at which TakeCommands must be called again at the latest, even if no input arrives before.
  [[nodiscard]] Time NextDeadline() const;

  // ---- state ----
  // Return the batch in which the event was read, and the position of the event in that batch. REQUIRES: no Detach
  // command of an earlier turn named the event.
  [[nodiscard]] BatchIndex BatchOf(EventIndex e) const { return events_[e].batch; }
  [[nodiscard]] std::uint32_t PositionOf(EventIndex e) const { return events_[e].position; }
  [[nodiscard]] std::uint32_t Outstanding() const { return events_.Outstanding(); }
  [[nodiscard]] std::uint32_t InFlight() const {
    return window_.in_flight() + static_cast<std::uint32_t>(trials_.InFlight());
  }
  [[nodiscard]] const Counters& counters() const { return counters_; }
  [[nodiscard]] bool IsOwner() const { return lease_.IsOwner(); }
  [[nodiscard]] Time LeaseUntil() const { return lease_.until(); }
  [[nodiscard]] std::uint64_t token() const { return lease_.token(); }
  // True during the first steps of a slow start. At most one shard of a relay is in its first steps at a time, so that
  // a crash identifies the marked event. The first steps do not end when the lease expires by the clock, because the
  // lease may be renewed; the first steps then continue.
  [[nodiscard]] bool InFirstSteps() const { return slow_start_.InFirstSteps(); }
  // True while a slow start is under way.
  [[nodiscard]] bool StartsSlowly() const { return slow_start_.active(); }
  // Returns the time since which the broker has owed an answer; kForever if it owes none. See SendWindow::OwedSince.
  [[nodiscard]] Time OwedSince() const { return std::min(window_.OwedSince(), trials_.OldestSentAt()); }
  [[nodiscard]] Time RemovesNothingSince() const { return confirms_.RemovesNothingSince(); }
  [[nodiscard]] bool CannotRecord() const { return records_.CannotRecord(); }
  [[nodiscard]] bool FailuresUnrecorded() const { return records_.Unrecorded(); }
  // True if a poison mark has to be written or removed.
  [[nodiscard]] bool WantsToMark() const { return slow_start_.WantsToMark(); }
  // Returns the events of the confirm that is under way.
  [[nodiscard]] std::span<const EventIndex> Confirming() const { return confirms_.confirming(); }
  // True if the report is the first answer to an event in flight.
  [[nodiscard]] bool Awaits(const publisher::Report& report) const {
    if (report.event >= events_.slots()) return false;
    const EventState state = events_[report.event].state();
    return (state == EventState::kSent && report.epoch == window_.epoch()) ||
           (state == EventState::kTried && report.epoch == trials_.epoch());
  }

  // Returns a text that names a broken invariant of a part, or an empty text if all invariants hold. The check takes
  // time in proportion to the window, so it is meant for the simulator and debug builds. REQUIRES: no turn is under
  // way.
  [[nodiscard]] std::string CheckInvariants() const;
  // Calls f(counts) for each part that has states; `counts` holds how often each transition of the part was taken.
  template <class F>
  void EachTransitionCounts(F f) const {
    f(lease_.state().counts());
    f(reads_.counts());
    f(events_.counts());
    f(holds_.counts());
    f(slow_start_.mark().counts());
  }

 private:
  friend struct PartProbe;  // lets the tests set private fields

  // A command, and the range of its events in arguments_.
  struct Pending {
    Command command;
    std::uint32_t first, count;
  };

  // Functions in engine_turn.cpp, which choose the next commands.
  void Decide();
  void CheckDeadlines();
  void SendQueued();
  void SendTrials();
  void WriteWhatIsDue();
  void ReadIfThereIsRoom();
  void FreeWhatIsDone();
  void ReportRelease();
  [[nodiscard]] bool MaySend() const;
  [[nodiscard]] bool GathersRecords() const;
  [[nodiscard]] bool GathersConfirms() const;
  [[nodiscard]] bool CanRead() const;
  void Emit(Command command, std::span<const EventIndex> events = {});

  // Functions in engine.cpp, which react to the inputs.
  void Follow(ShardLease::Effect effect);
  void LoseLease(bool by_storage) { Follow(lease_.Lose(by_storage)); }
  void StopSending();
  void Acknowledged(EventIndex e) {
    events_.Move(events_[e], EventState::kAcknowledged);
    confirms_.Add(e, now_);
    ++counters_.acknowledged;
  }
  void TrialReported(const publisher::Report& report);
  void ResetStream(bool outage);
  void ResetTrials();
  void TrialResetDone(std::uint32_t epoch);

  // Functions in engine_failures.cpp, for events that fail, are dropped, or are settled.
  void Admit(EventIndex e, const Incoming& event);
  void AwaitTopic(EventIndex e);
  void Fail(EventIndex e, std::int32_t error);
  void RecordDelivered(EventIndex e, Kept why);
  void ConfirmAnswered(outbox_code code, std::span<const std::uint8_t> kept);
  void FailureAnswered(outbox_code code);
  void FailureRecorded(const FailedEvent& failed, bool committed);
  void ReleaseAnswered(outbox_code code);
  void LeaseOfRowsLost();
  void Drop(EventIndex e);
  void DropBehind(EventIndex head);
  void HoldKey(EventIndex head, HoldState why);
  void FreeKey(EventIndex head) {
    if (events_[head].ordered) holds_.Free(events_[head].key_hash, head);
  }

  const Settings settings_;
  Time now_ = 0;
  Backoff backoff_;
  EventTable events_;
  ShardLease lease_;
  SlowStart slow_start_;
  KeyHolds holds_;
  ReadScheduler reads_;
  SendWindow window_;
  Trials trials_;
  Confirms confirms_;
  FailureRecords records_;
  WriteQueue<EventIndex> releases_;
  Removals removals_;

  std::vector<Pending> commands_;
  std::vector<EventIndex> arguments_;
  Counters counters_;
};

template <class F>
void Engine::TakeCommands(F f) {
  Decide();
  for (Pending& pending : commands_) {
    std::visit(
        [&](auto& command) {
          if constexpr (requires { command.events; })
            command.events = std::span<const EventIndex>(arguments_).subspan(pending.first, pending.count);
        },
        pending.command);
    f(std::as_const(pending.command));
  }
  commands_.clear();
  arguments_.clear();
}

}  // namespace outbox::engine
