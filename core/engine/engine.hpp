// The relay of one shard as a state machine: no thread, clock, I/O or random source of its own. Methods go in, a
// list of commands comes out, so the very same code runs under the daemon's shell and under the simulator.
//
// Order rests on two rules. The stream of a shard is gapless and begins at or below its oldest event that is not
// in the topic yet; an event is passed over only after its fail or dead write has committed under a valid lease.
// So there is one way out of every trouble at the broker's side: reset the publisher (a purge cuts a tail, never
// a hole), keep what was acknowledged for confirming, forget the rest, and read again from the oldest row.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/settings.hpp"
#include "outbox/plugin.h"
#include "publish/report.hpp"

namespace outbox::engine {

using EventIndex = std::uint32_t;
using BatchIndex = std::uint32_t;

// What the engine knows of an event that was read.
struct Incoming {
  std::uint64_t key_hash = 0;
  bool has_key = false;
  std::uint32_t attempts = 0;
  publish::Lane lane = 0;
  std::uint16_t policy = 0;  // index in Settings::policies
  bool refused = false;      // judged before sending: it fails without being sent
};

struct Reservation {
  std::uint64_t arena_bytes = 0;
  bool more = false;
  bool drain_first = false;  // all that was sent before must be resolved first
  Time until = kForever;     // these events are reserved until then; kForever = as long as the lease
};

enum class Write : std::uint8_t { kConfirm, kFail, kRelease, kMark };

enum class Do : std::uint8_t {
  kReserve,    // at most so many rows; sweep tells whether to begin at the oldest row
  kPublish,    // events, in this order, under epoch
  kReset,      // the publisher, to epoch
  kConfirm,    // events; answer with Written
  kFail,       // failures; answer with Written
  kRelease,    // events; answer with Written
  kMark,       // the one event that is about to be sent alone; none = forget the mark; answer with Marked
  kForget,     // events are no longer in hand: the next reserve may return their rows
  kFreeBatch,  // nothing of batch is needed any more
  kRetired,    // nothing is in hand after LeaseLost or Retire: the shard may be given back
};

struct FailedEvent {
  EventIndex event;
  std::int32_t disposition;  // OUTBOX_RETRY, OUTBOX_BLOCK, OUTBOX_DEAD
  Time retry_after;
  std::int32_t error;  // of the broker's report, or publish::kEndsRelays; 0 = refused before sending
};

struct Command {
  Do what;
  bool sweep = false;
  std::uint32_t epoch = 0;
  BatchIndex batch = 0;
  std::uint32_t first = 0, count = 0;  // into the arguments
  std::uint32_t rows = 0;              // of kReserve, at most
};

struct Counters {
  std::uint64_t reserved = 0, published = 0, stored = 0, confirmed = 0, failed = 0, dead = 0, blocked = 0;
  std::uint64_t resets = 0, sweeps = 0, sent_again = 0;  // sent_again: upper bound on duplicates caused
  std::uint64_t leases_lost = 0;

  Counters& operator+=(const Counters& other) {
    reserved += other.reserved;
    published += other.published;
    stored += other.stored;
    confirmed += other.confirmed;
    failed += other.failed;
    dead += other.dead;
    blocked += other.blocked;
    resets += other.resets;
    sweeps += other.sweeps;
    sent_again += other.sent_again;
    leases_lost += other.leases_lost;
    return *this;
  }
};

class Engine {
 public:
  explicit Engine(const Settings& settings);

  // First in every turn; time never goes back.
  void Advance(Time now);

  // The lease, by the local clock counted from before it was asked for. Renewed by the same call. `careful`: the owner
  // before let its lease end, perhaps because of an event, so begin with small steps.
  void LeaseHeld(Time until, bool careful = false);
  // The event that stands alone in the first careful step has not been answered yet. Of a relay's shards one at a time
  // should be there: whichever event ends the relay then, is the one that is marked.
  [[nodiscard]] bool InFirstStep() const { return first_step_ && mode_ == Mode::kActive; }
  void LeaseLost();
  // Finish what is in flight, confirm, give back the rest: kRetired tells when. What is still without an answer at
  // `deadline` is given up as unknown.
  void Retire(Time deadline);

  // Answers to kReserve. The batch is known by the index that is returned until kFreeBatch names it.
  BatchIndex Reserved(const Reservation& reservation, std::span<const Incoming> events);
  void ReserveFailed(outbox_code code);
  void Written(Write what, outbox_code code);
  // `owners`: so many in a row, with this one, have marked the event.
  void Marked(outbox_code code, std::uint32_t owners);

  void Reported(std::span<const publish::Report> reports);
  void ProducerFailed();
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

  [[nodiscard]] BatchIndex BatchOf(EventIndex e) const { return events_[e].batch; }
  [[nodiscard]] std::uint32_t PositionOf(EventIndex e) const { return events_[e].position; }
  [[nodiscard]] std::uint32_t InHand() const { return static_cast<std::uint32_t>(events_.size() - free_.size()); }
  [[nodiscard]] std::uint32_t InFlight() const { return in_flight_; }
  [[nodiscard]] const Counters& counters() const { return counters_; }
  // Works under a lease, and until when.
  [[nodiscard]] bool Active() const { return mode_ == Mode::kActive; }
  [[nodiscard]] Time LeaseUntil() const { return lease_until_; }
  // Since when the broker owes an answer, also where the same events were sent again meanwhile, or the lease was lost and
  // came back; kForever = it does not.
  [[nodiscard]] Time OwedSince() const {
    return std::min(owed_since_, flights_.empty() ? kForever : flights_.front().at);
  }
  // Is it the first answer to an event in flight?
  [[nodiscard]] bool Awaits(const publish::Report& r) const {
    return r.epoch == epoch_ && r.event < events_.size() && events_[r.event].state == State::kSent;
  }

 private:
  friend struct EngineProbe;  // of the simulator, to see which states it has reached
  enum class Mode : std::uint8_t { kStandby, kActive, kRetiring, kLost };
  enum class State : std::uint8_t {
    kFree,
    kQueued,
    kSent,
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
    publish::Lane lane = 0;
    std::uint32_t flight = 0;
    std::uint32_t attempts = 0;
    std::uint16_t policy = 0;
    State state = State::kFree;
    bool has_key = false;
  };
  struct BatchState {
    std::uint32_t left = 0;
    std::uint64_t arena_bytes = 0;
    Time until = kForever;
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
  // A key in trouble. While it is here no event of it is sent, except the retried one itself.
  struct Hold {
    enum class Why : std::uint8_t {
      kRetried,  // the failed event came back and is in hand; its followers were not read
      kFailing,  // the fail write is not answered yet
      kBarrier,  // it is, but the read under way began before and may still bring followers
      kSweep,    // settled; followers may have been passed by, so read from the oldest row first
    } why = Why::kFailing;
    EventIndex head = 0;
    bool passed = false;  // an event of the key was dropped because of it
  };
  using Holds = std::unordered_map<std::uint64_t, Hold>;
  static constexpr EventIndex kNobody = ~EventIndex{0};
  // Of the event that stands alone in the first careful step.
  enum class Mark : std::uint8_t { kNone, kWanted, kWriting, kSet, kClearing };
  // One call under way at a time; a failed one is repeated with the same events.
  struct Writer {
    bool busy = false;
    Time not_before = 0;
    std::uint32_t failures = 0;
  };

  void Pump();
  void CheckDeadlines();
  void PumpPublish();
  void PumpWrites();
  void FlushSettled();
  void PumpReserve();
  void PumpRetirement();

  void EndRead();
  Holds::iterator LiftHold(Holds::iterator hold);
  [[nodiscard]] bool IsHeld(const Event& event);
  void FailWritten(const FailedEvent& failed, bool committed);
  void StartReset(bool outage);
  void DropQueued();
  void Drop(EventIndex e);
  void Fail(EventIndex e, std::int32_t error);
  void BeCareful();
  void BeginCarefulStep(bool nothing_waits);
  void EndCarefulStep();
  void BreakCarefulStep(bool outage);
  void EmitMark();
  void Settle(EventIndex e);
  void FreeBatch(BatchIndex b);
  void HoldKey(EventIndex head, Hold::Why why);
  void FreeKey(EventIndex head);

  [[nodiscard]] bool MayHold(const Event& e) const { return settings_.order_keys && e.has_key; }
  [[nodiscard]] LaneState& LaneOf(publish::Lane lane);
  [[nodiscard]] bool CanReserve() const;
  [[nodiscard]] bool GathersRecords() const;
  [[nodiscard]] Time ConfirmDue() const;
  [[nodiscard]] Time Backoff(Time base, Time cap, std::uint32_t failures);
  void Emit(Do what, std::span<const EventIndex> events);
  void EmitWrite(Write what, Do command);
  // Fenced writes go under the token of their batch: one batch at a time.
  template <class T, class EventOf>
  void TakeBatch(std::vector<T>& waiting, std::vector<T>& taken, EventOf event_of) {
    std::size_t n = 0;
    while (n < waiting.size() && BatchOf(event_of(waiting[n])) == BatchOf(event_of(waiting[0]))) ++n;
    taken.assign(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(n));
    waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(n));
  }
  [[nodiscard]] Writer& WriterOf(Write w) { return writers_[static_cast<std::size_t>(w)]; }
  [[nodiscard]] bool MarkDue() const { return mark_ == Mark::kClearing || (mark_ == Mark::kWanted && !queue_.empty()); }
  [[nodiscard]] std::vector<EventIndex>& EventsOf(Write w) { return w == Write::kConfirm ? confirming_ : releasing_; }

  const Settings settings_;
  Time now_ = 0;
  std::uint64_t random_;
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
  Time owed_since_ = kForever;  // of flights that an outage has ended
  std::vector<LaneState> lanes_;
  std::uint32_t epoch_ = 1;
  bool resetting_ = false;
  std::uint32_t broker_failures_ = 0;
  // After a refused request: at most so many records at once, all resolved before the next group; doubled by each
  // group that gets through. 0 = no limit.
  std::uint32_t group_limit_ = 0, next_group_limit_ = 0;  // next: from the coming reset on
  std::uint32_t group_sent_ = 0;

  std::vector<EventIndex> acked_, confirming_, to_release_, releasing_;
  Time first_acked_ = 0;  // of those that wait in acked_
  std::vector<FailedEvent> to_fail_, failing_;
  Writer writers_[4];
  std::vector<EventIndex> settled_;
  std::vector<BatchIndex> empty_batches_;

  // One step is read, sent and settled before the next, which is twice as large, until as many as the last owner can have
  // had in hand are through. Then its end is nobody's fault any more, and the mark is forgotten.
  bool careful_ = false;
  std::uint32_t careful_left_ = 0;
  std::uint32_t careful_step_ = 1;
  bool first_step_ = false;
  Mark mark_ = Mark::kNone;

  Holds holds_;
  bool must_sweep_ = true;
  bool reserving_ = false;
  bool more_ = false;           // the last read said so
  bool read_is_stale_ = false;  // began before a reset: what it brings may be newer than what was dropped
  bool polls_ = false;          // next_read_ is that of an idle relay, not of a failure
  bool woken_ = false;          // during the read under way
  Time next_read_ = 0, next_sweep_ = 0, last_read_ = 0;
  Time poll_gap_ = 0;
  std::uint32_t read_failures_ = 0;

  std::vector<Command> commands_;
  std::vector<EventIndex> arguments_;
  Counters counters_;
};

}  // namespace outbox::engine
