// The relay of one shard as a state machine: no thread, clock, I/O or random source of its own. Methods go in, a
// list of commands comes out, so the very same code runs under the daemon's shell and under the simulator.
//
// Order rests on two rules. The stream of a shard is gapless and begins at or below its oldest event that is not
// in the topic yet; an event is passed over only after its fail or dead write has committed under a valid lease.
// So there is one way out of every trouble at the broker's side: reset the publisher (a purge cuts a tail, never
// a hole), keep what was acknowledged for confirming, forget the rest, and read again from the oldest row.
//
// Beside the stream there are trials: an event that has failed, or that travels where the broker has refused something, is
// sent in a request of its own, when everything sent before it is answered and nothing else of its key is under way. Only
// a trial that is refused counts as a failure of its event (docs/design/decisions/0016).
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/backoff.hpp"
#include "engine/settings.hpp"
#include "outbox/plugin.h"
#include "publisher/report.hpp"

namespace outbox::engine {

using EventIndex = std::uint32_t;
using BatchIndex = std::uint32_t;

// What the engine knows of an event that was read.
struct Incoming {
  std::uint64_t key_hash = 0;
  bool has_key = false;
  std::uint32_t attempts = 0;
  publisher::Lane lane = 0;
  std::uint16_t policy = 0;  // index in Settings::policies
  bool refused = false;      // judged before sending: it fails without being sent
  bool doubtful = false;     // the broker will perhaps refuse it: goes as a trial
  bool returned = false;     // delivered, and back more than once after its row was removed: not sent any more
};

struct Reservation {
  std::uint64_t arena_bytes = 0;
  bool more = false;
  bool drain_first = false;                   // all that was sent before must be resolved first
  Time until = kForever;                      // these events are reserved until then; kForever = as long as the lease
  std::uint32_t rescan = OUTBOX_RESCAN_DONE;  // how far a step of a rescan has come
  std::uint64_t token = 0;                    // fenced writes about these events go under it
};

enum class Write : std::uint8_t { kConfirm, kFail, kRelease, kMark, kRemove };

enum class Do : std::uint8_t {
  kReserve,    // at most so many rows; mode is OUTBOX_READ_ON, OUTBOX_REWIND or OUTBOX_RESCAN
  kPublish,    // events, in this order, under epoch
  kReset,      // the publisher's stream to which the epoch belongs, to this epoch
  kConfirm,    // events; answer with Written
  kFail,       // failures; answer with Written
  kRelease,    // events; answer with Written
  kMark,       // the one event that is about to be sent alone; none = forget the mark; answer with Marked
  kRemove,     // rows that were recorded as delivered, of any relay; answer with Removed
  kDetach,     // events have failed: what their record needs must outlive their batch
  kForget,     // events are no longer in hand: the next reserve may return their rows
  kFreeBatch,  // nothing of batch is needed any more
  kRetired,    // nothing is in hand after LeaseLost or Retire: the shard may be given back
};

// Why the row of a delivered event is still in the outbox.
enum class Kept : std::int32_t {
  kRefused,     // the database refuses to remove it
  kStillThere,  // the removal was carried out, and has removed nothing
  kCameBack,    // it was removed, and read again, more than once
};

struct FailedEvent {
  EventIndex event;
  std::int32_t disposition;  // OUTBOX_RETRY, OUTBOX_BLOCK, OUTBOX_DEAD, OUTBOX_DELIVERED
  Time retry_after;
  // Of the broker's report, or publisher::kEndsRelays; 0 = refused before sending. With OUTBOX_DELIVERED: a Kept.
  std::int32_t error;
  std::uint64_t token = 0;  // of its reservation
};

struct Command {
  Do what;
  std::uint32_t mode = OUTBOX_READ_ON;
  std::uint32_t epoch = 0;
  BatchIndex batch = 0;
  std::uint32_t first = 0, count = 0;  // into the arguments
  std::uint32_t rows = 0;              // of kReserve, at most
  bool skip_retries = false;           // of kReserve: those would be dropped
};

struct Counters {
  std::uint64_t reserved = 0, sent = 0, acknowledged = 0, confirmed = 0, failed = 0, dead = 0, blocked = 0;
  std::uint64_t resets = 0, rescans = 0, sent_again = 0;  // sent_again: upper bound on duplicates caused
  std::uint64_t leases_lost = 0;
  std::uint64_t undeletable = 0;  // recorded as delivered

  Counters& operator+=(const Counters& other) {
    reserved += other.reserved;
    sent += other.sent;
    acknowledged += other.acknowledged;
    confirmed += other.confirmed;
    failed += other.failed;
    dead += other.dead;
    blocked += other.blocked;
    resets += other.resets;
    rescans += other.rescans;
    sent_again += other.sent_again;
    leases_lost += other.leases_lost;
    undeletable += other.undeletable;
    return *this;
  }
};

class Engine {
 public:
  explicit Engine(const Settings& settings);

  // First in every turn; time never goes back.
  void Advance(Time now);

  // The lease, by the local clock counted from before it was asked for. Renewed by the same call. `slow_start`: the owner
  // before let its lease end, perhaps because of an event, so begin with small steps.
  void LeaseHeld(Time until, bool slow_start = false);
  // The event that stands alone in the first step of a slow start has not been answered yet. Of a relay's shards one at a time
  // should be there: whichever event ends the relay then, is the one that is marked.
  [[nodiscard]] bool InFirstStep() const { return first_step_ && mode_ == Mode::kActive; }
  void LeaseLost();
  // Finish what is in flight, confirm, give back the rest: kRetired tells when. What is still without an answer at
  // `deadline` is given up as unknown.
  void Retire(Time deadline);

  // Answers to kReserve. The batch is known by the index that is returned until kFreeBatch names it.
  BatchIndex Reserved(const Reservation& reservation, std::span<const Incoming> events);
  void ReserveFailed(outbox_code code);
  // `kept`, of a confirm: a place for each of its events, 1 = the row is still there. None = all are gone.
  void Written(Write what, outbox_code code, std::span<const std::uint8_t> kept = {});
  // `rows` that were recorded as delivered are gone.
  void Removed(outbox_code code, std::uint64_t rows);
  // `owners`: so many in a row, with this one, have marked the event.
  void Marked(outbox_code code, std::uint32_t owners);

  void Reported(std::span<const publisher::Report> reports);
  // The producer can send nothing more. That is an outage, unless a refusal is among the reports up to ResetDone: the
  // client library announces its end before it reports the refusal that caused it.
  void ProducerFailed();
  // The producer must be replaced before it sends more; nothing is wrong with the broker.
  void ProducerOutdated();
  // Rows may have been committed: look soon, unless the next look waits because the last one failed.
  void Wake();
  void ResetDone(std::uint32_t epoch);

  // Decides what to do next and hands it over, oldest first: f(command, events, failures).
  template <class F>
  void TakeCommands(F&& f) {
    Pump();
    for (const Command& c : commands_) {
      const bool fails = c.what == Do::kFail;
      f(c, fails ? std::span<const EventIndex>() : std::span<const EventIndex>(arguments_).subspan(c.first, c.count),
        fails ? std::span<const FailedEvent>(failing_) : std::span<const FailedEvent>());
    }
    commands_.clear();
    arguments_.clear();
  }

  // Call TakeCommands again by then, even if nothing happens.
  [[nodiscard]] Time NextDeadline() const;

  // REQUIRES: e was not named by kDetach, or is by a command of this turn.
  [[nodiscard]] BatchIndex BatchOf(EventIndex e) const { return events_[e].batch; }
  [[nodiscard]] std::uint32_t PositionOf(EventIndex e) const { return events_[e].position; }
  [[nodiscard]] std::uint32_t Outstanding() const { return static_cast<std::uint32_t>(events_.size() - free_.size()); }
  [[nodiscard]] std::uint32_t InFlight() const { return in_flight_ + static_cast<std::uint32_t>(trials_.size()); }
  [[nodiscard]] const Counters& counters() const { return counters_; }
  // Works under a lease, and until when.
  [[nodiscard]] bool Active() const { return mode_ == Mode::kActive; }
  [[nodiscard]] Time LeaseUntil() const { return lease_until_; }
  // Since when the broker owes an answer, or the next one for what was sent first: a slow broker that is sent much at once
  // answers each of it late. Also where the same events were sent again meanwhile, or the lease was lost and came back;
  // kForever = it owes none.
  [[nodiscard]] Time OwedSince() const {
    return std::min({owed_since_, flights_.empty() ? kForever : std::max(flights_.front().at, moved_), OldestTrial()});
  }
  // Since when confirms have removed nothing, though there was something to remove; kForever = they remove.
  [[nodiscard]] Time RemovesNothingSince() const { return in_vain_ >= kEnoughInVain ? in_vain_since_ : kForever; }
  // A delivered event whose row stays cannot be recorded as such, and nothing is sent until it can: it would go out again
  // with each restart.
  [[nodiscard]] bool CannotRecord() const { return cannot_record_; }
  // The storage refuses to record failures: their events stay outstanding, and their keys wait.
  [[nodiscard]] bool FailuresUnrecorded() const { return failures_unrecorded_; }
  // Of those that the confirm under way is about.
  [[nodiscard]] std::span<const EventIndex> Confirming() const { return confirming_; }
  // Is it the first answer to an event in flight?
  [[nodiscard]] bool Awaits(const publisher::Report& r) const {
    if (r.event >= events_.size()) return false;
    const State state = events_[r.event].state;
    return r.epoch == (state == State::kTried ? trial_epoch_ : epoch_) &&
           (state == State::kSent || state == State::kTried);
  }

 private:
  friend struct EngineProbe;  // of the simulator, to see which states it has reached
  enum class Mode : std::uint8_t { kStandby, kActive, kRetiring, kLost };
  enum class State : std::uint8_t {
    kFree,
    kQueued,
    kSent,
    kTried,    // sent as a trial
    kUnknown,  // reported, but not as stored: dropped when the reset is done
    kAcked,
    kFailing,
    kReleasing,
    kSettled,
  };
  struct Event {
    std::uint64_t key_hash = 0;
    BatchIndex batch = 0;
    std::uint32_t position = 0;
    publisher::Lane lane = 0;
    std::uint32_t flight = 0;  // of a trial: when this flight and all before it are over, it may be sent
    std::uint32_t attempts = 0;
    std::uint16_t policy = 0;
    State state = State::kFree;
    bool has_key = false;
    bool doubtful = false;
    bool left_batch = false;
  };
  struct BatchState {
    std::uint32_t left = 0;  // events that are neither settled nor detached
    std::uint64_t arena_bytes = 0;
    Time until = kForever;
    std::uint64_t token = 0;
    bool drain_first = false;
  };
  // One Publish command, for the deadline of its oldest record without an answer.
  struct Flight {
    Time at;
    Time until;  // of the reservation that ends first
    std::uint32_t open;
  };
  // A lane is proven under an epoch once a record of it came back with a real offset: a broker that holds no state
  // for a producer accepts any first sequence, so until then one record goes alone (decision 0007).
  struct LaneState {
    std::uint32_t epoch = 0, in_flight = 0;
    Time proven = -kForever;
  };
  // In this lane the main stream was refused something: until then its events go as trials.
  struct Suspicion {
    Time until = -kForever, period = 0;
    std::uint32_t epoch = 0;  // that the last refusal has ended
  };
  // A trial without an answer.
  struct Trial {
    EventIndex event;
    Time at;
    Time until;  // of its reservation
  };
  // The events of a key that wait for their trial, and whether one of them is being tried.
  struct TrialKey {
    std::uint32_t events = 0;
    bool tried = false;
  };
  // A key in trouble. While it is here no event of it is sent, except the retried one itself.
  struct Hold {
    enum class Why : std::uint8_t {
      kRetried,  // the failed event came back and is in hand, or its trial is given up; its followers were not read
      kFailing,  // the fail write is not answered yet
      kBarrier,  // it is, but the read under way began before and may still bring followers
      kRescan,   // settled; followers may have been passed by, and a rescan that begins after this has to find them
    } why = Why::kFailing;
    EventIndex head = 0;
    bool passed = false;       // an event of the key was dropped because of it
    std::uint32_t since = 0;   // kRescan: the last rescan that had begun by then, which is too old
    std::uint32_t missed = 0;  // kRescan: the rescan during which a read brought an event that was dropped
  };
  using Holds = std::unordered_map<std::uint64_t, Hold>;
  static constexpr EventIndex kNobody = ~EventIndex{0};
  // Of the event that stands alone in the first step of a slow start.
  enum class Mark : std::uint8_t { kNone, kWanted, kWriting, kSet, kClearing };
  // One call under way at a time; a failed one is repeated with the same events.
  struct WriteSlot {
    bool busy = false;
    Time not_before = 0;
    std::uint32_t failures = 0;
  };

  void Pump();
  void CheckDeadlines();
  void PumpPublish();
  void PumpTrials();
  void PumpTrialsOf(std::deque<EventIndex>& waiting, std::size_t free_slots);
  void PumpWrites();
  void FlushDetached();
  void FlushSettled();
  void PumpReserve();
  void PumpRescan();
  void PacePolls(bool useful, bool crowded, bool more);
  void PumpRetirement();

  void EndRead();
  void LiftHold(Holds::iterator hold);
  void AwaitRescan(Hold& hold);
  void EndRescanStep(std::uint32_t reached);
  [[nodiscard]] bool IsHeld(const Event& event);
  [[nodiscard]] bool RescanWanted() const { return rescanning_ || must_rescan_ || now_ >= next_rescan_; }
  void ConfirmWritten(std::span<const std::uint8_t> kept);
  void NarrowDown();
  void RecordDelivered(EventIndex e, Kept why);
  void FailWritten(const FailedEvent& failed, bool committed);
  void StartReset(bool outage);
  void TrialReported(const publisher::Report& report);
  void StartTrialReset();
  void TrialResetDone(std::uint32_t epoch);
  void QueueTrial(EventIndex e, std::uint32_t after_flight);
  void LeaveTrial(EventIndex e, bool was_tried);
  void DropBehind(EventIndex head);
  void Suspect(publisher::Lane lane);
  [[nodiscard]] bool GoesAlone(const Event& event) const;
  [[nodiscard]] Time OldestTrial() const;
  void DropQueued();
  void Drop(EventIndex e);
  void MakeRoom(std::size_t events);
  void AwaitRecord(const FailedEvent& failed);
  [[nodiscard]] Time RecordRest() const;
  void GiveUpRecords();
  void Fail(EventIndex e, std::int32_t error);
  void BeginSlowStart();
  void BeginSlowStartStep(bool nothing_waits);
  void EndSlowStartStep();
  void BreakSlowStartStep(bool outage);
  void EmitMark();
  void Settle(EventIndex e);
  void FreeBatch(BatchIndex b);
  void HoldKey(EventIndex head, Hold::Why why);
  void FreeKey(EventIndex head);

  [[nodiscard]] bool MayHold(const Event& e) const { return settings_.order_keys && e.has_key; }
  [[nodiscard]] LaneState& LaneOf(publisher::Lane lane);
  [[nodiscard]] std::size_t AwaitingRecord() const { return to_fail_.size() + failing_.size(); }
  [[nodiscard]] std::size_t InWindow() const;
  [[nodiscard]] bool CanReserve() const;
  [[nodiscard]] bool SkipsRetries();
  [[nodiscard]] bool Rewinds() const { return must_rewind_ || (slow_start_ && !passed_over_); }
  [[nodiscard]] Time NextRead() const;
  [[nodiscard]] bool GathersRecords() const;
  [[nodiscard]] Time ConfirmDue() const;
  void Emit(Do what, std::span<const EventIndex> events);
  void EmitWrite(Write what, Do command);
  // Fenced writes go under the token of their reservation: as many as have the same one, up to a batch.
  template <class Waiting, class T, class TokenOf>
  void TakeUnderOneToken(Waiting& waiting, std::vector<T>& taken, TokenOf token_of) {
    std::size_t n = 0;
    const std::size_t most = std::min<std::size_t>(waiting.size(), settings_.batch_events);
    while (n < most && token_of(waiting[n]) == token_of(waiting[0])) ++n;
    taken.assign(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(n));
    waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(n));
  }
  [[nodiscard]] WriteSlot& SlotOf(Write w) { return write_slots_[static_cast<std::size_t>(w)]; }
  [[nodiscard]] bool MarkDue() const { return mark_ == Mark::kClearing || (mark_ == Mark::kWanted && !queue_.empty()); }
  [[nodiscard]] std::vector<EventIndex>& EventsOf(Write w) { return w == Write::kConfirm ? confirming_ : releasing_; }

  const Settings settings_;
  Time now_ = 0;
  Backoff backoff_;
  Mode mode_ = Mode::kStandby;
  Time lease_until_ = 0;
  Time retire_by_ = kForever;

  std::vector<Event> events_;
  std::vector<EventIndex> free_;
  std::vector<BatchState> batches_;
  std::vector<BatchIndex> free_batches_;
  std::uint64_t bytes_ = 0;

  std::deque<EventIndex> queue_;  // read and not sent, in the order of reading
  std::deque<Flight> flights_;
  std::uint32_t first_flight_ = 0, next_flight_ = 0;  // numbers of flights_.front() and of the next one
  std::uint32_t in_flight_ = 0;
  std::uint32_t broker_failures_ = 0;
  Time moved_ = 0;              // when the oldest flight was answered last, in part or whole
  Time owed_since_ = kForever;  // of flights that an outage has ended
  std::vector<LaneState> lanes_;
  std::uint32_t epoch_ = 1;
  bool resetting_ = false;
  bool outage_ = false;   // the reset under way began as one
  bool refused_ = false;  // a report since the last reset was a refusal, so the broker answers

  std::unordered_map<publisher::Lane, Suspicion> suspects_;
  std::deque<EventIndex> suspected_,
      retried_;  // wait for their trials: those that have never failed, and those that have
  std::unordered_map<std::uint64_t, TrialKey> trial_keys_;
  std::vector<Trial> trials_;
  std::uint32_t retrials_ = 0;  // of trials_, those of events that have failed before
  std::uint32_t trial_epoch_ = publisher::kTrialEpochs | 1;
  std::uint32_t trial_failures_ = 0;
  bool resetting_trials_ = false;
  Time next_trial_ = 0;

  std::vector<EventIndex> acked_, confirming_, to_release_, releasing_;
  Time first_acked_ = 0;  // of those that wait in acked_
  std::deque<FailedEvent> to_fail_;
  std::vector<FailedEvent> failing_;
  Time record_began_ = 0;  // of failing_
  WriteSlot write_slots_[5];
  // The rest of a confirm that was refused, in groups that are asked for one after the other.
  std::vector<std::vector<EventIndex>> narrowed_;
  // One row among those that go is no trouble of all; one that is alone does not show that nothing goes.
  static constexpr std::uint32_t kEnoughInVain = 2;
  std::uint32_t in_vain_ = 0;  // rows that stayed, since the last one that went
  bool cannot_record_ = false, failures_unrecorded_ = false;
  Time in_vain_since_ = 0;
  Time next_removal_ = kForever;
  Time last_removal_due_ = 0;  // of the rows that were recorded last
  std::vector<EventIndex> detached_, settled_;
  std::vector<BatchIndex> empty_batches_;

  // One step is read, sent and settled before the next, which is twice as large, until as many as the last owner can have
  // had in hand are through. Then its end is nobody's fault any more, and the mark is forgotten.
  bool slow_start_ = false;
  std::uint32_t slow_start_left_ = 0;
  std::uint32_t slow_start_step_ = 1;
  bool first_step_ = false;
  Mark mark_ = Mark::kNone;

  Holds holds_;
  std::vector<std::uint64_t> barriers_;  // keys whose hold was a kBarrier since the read under way began
  bool must_rewind_ = true;              // rewind the reading
  // A rescan is a pass from the oldest row up to where the reading stands. It goes beside the reading, in steps that take
  // at most a tenth of the time. Passes are numbered, and all keys that wait for one share it.
  bool must_rescan_ = false;  // one that begins from now on
  bool rescanning_ = false;   // number rescan_ is under way
  bool rescan_step_ = false;  // the read under way is a step of it
  std::uint32_t rescan_ = 0;
  Time next_step_ = 0, step_began_ = 0;
  bool reserving_ = false;
  bool more_ = false;           // the last read said so
  bool new_rows_wait_ = false;  // and brought such that had never failed
  bool skips_retries_ = false;  // the read under way
  std::uint32_t skipped_ = 0;   // so many reads in a row have skipped them
  bool passed_over_ = false;    // and brought nothing: it had enough to do with rows that wait
  bool read_is_stale_ = false;  // began before a reset: what it brings may be newer than what was dropped
  bool polls_ = false;          // next_read_ is that of an idle relay, not of a failure
  bool woken_ = false;          // during the read under way
  Time next_read_ = 0, next_rescan_ = 0, last_read_ = 0;
  Time poll_gap_ = 0;
  std::uint32_t read_failures_ = 0;

  std::vector<Command> commands_;
  std::vector<EventIndex> arguments_;
  Counters counters_;
};

}  // namespace outbox::engine
