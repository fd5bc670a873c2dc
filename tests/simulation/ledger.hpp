// Records what happened to every event, as the writers, the tables and the broker's log show it, never as a relay
// reports it. Checks the promises below at once. The first broken promise ends the run.
//
//   I1 no loss            a committed event reaches the log, or is dead or blocked, soon after the last fault
//   I2 no ghost           no event of a transaction that was rolled back is sent
//   I3 integrity          key, lane and event of a record are those of its row
//   I4 order              of two events of a key, the one with the lower id comes first if it was visible no later
//   I5 duplicates         each duplicate has a fault of its shard between the first sending and the second arrival, so
//                         a run without faults has none; at most (faults + resets) x window x shards duplicates a run,
//                         where window limits the outstanding events, and shards is the run's largest shard count
//   I6 confirm safety     a row is deleted only after a report with an offset
//   I7 lease safety       no relay sends without a live lease; failures from a stale owner change nothing; a lease
//                         expires only where something kept it from being renewed
//   I8 poison events      where nothing else crashes relays, a poison event crashes only a few of them, and no other
//                         event is blamed for the crashes
//   I9 fairness           an event that waits for no earlier event of its key is read as soon as if no row had failed
//   I10 flow              where refusals are the only faults, events of other keys are delivered soon
//   I11 delivered         an event recorded as delivered was acknowledged, and is never read and sent again
//   I12 silence           while rows wait and nothing moves, no relay reports that it is ready
//   I13 slow start        a shard whose last owner let its lease expire begins with a slow start
//   I14 innocents         an event without a fault of its own is never charged an attempt
//   I15 window            the outstanding events stay within the limits of number and bytes
//   I0 invariants         the invariants of the engine's parts and of the shard coordinator hold after every turn
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/history.hpp"
#include "tests/simulation/scenario.hpp"

namespace outbox::simulation {

using RowId = std::uint64_t;
using EventNumber = std::uint32_t;
inline std::uint32_t ShardOf(std::uint64_t spread, std::uint32_t shards) {
  return static_cast<std::uint32_t>((spread / 16) % shards);
}
inline constexpr int kNoKey = -1;

enum class Poison : std::uint8_t {
  kNone,
  kUnsendable,  // The relay always judges the event unsendable before it sends it.
  kTooLarge,    // The broker always refuses the event.
  kShy,         // The broker refuses the event twice and then accepts it.
  kBadOnce,     // The relay judges the event unsendable once, and then sends it.
  kKiller,      // A poison event: it crashes each relay that sends it.
};

// How the database reacts when the relay deletes the event's row: it deletes the row, refuses with an error, or keeps
// the row without an error.
enum class Stays : std::uint8_t { kNot, kRefused, kIgnored };

// An event as it is stored in the table and sent to the broker.
struct Row {
  RowId id;
  EventNumber event;
  int key;
};

struct Fate {
  int key;
  std::uint64_t spread;  // The hash of the event's key.
  std::uint32_t shard;
  Poison poison;
  RowId id;  // The id of the event's current row; a requeued event has a new one.
  Time committed_at = 0;
  // Number of earlier events that were committed but not yet in the broker's log when this event was committed.
  std::uint32_t behind = 0;
  std::uint32_t commit = 0;  // The number of the transaction that made the row visible; 0 if not committed.
  bool rolled_back = false, dead = false, requeued = false, fixed = false;
  bool acked = false;  // True if a report with an offset was made.
  std::uint32_t stored = 0;
  Time first_sent = kForever;
  std::uint32_t refusals = 0;
  Stays stays = Stays::kNot;
  Time recorded_at = kForever;  // When the event was recorded as delivered.
  std::uint32_t ended = 0;      // Number of relays that the event crashed since an operator last put it back.
};

class Ledger {
 public:
  Ledger(World& world, History& history, const Scenario& scenario)
      : world_(world),
        history_(history),
        leases_may_end_(LeasesMayEnd(scenario)),
        only_killers_(scenario.nap + scenario.pause + scenario.crash + scenario.stop + scenario.join +
                          scenario.storage_error + scenario.database_outage + scenario.database_clock +
                          scenario.broker_outage + scenario.reshard + scenario.vanish ==
                      0),
        only_refusals_(only_killers_ && scenario.relays == 1 &&
                       scenario.killer + scenario.wall_clock + scenario.ack_lost + scenario.implied + scenario.stall +
                               scenario.stateless + scenario.fatal + scenario.more_partitions +
                               scenario.topic_unknown ==
                           0),
        broker_answers_(scenario.broker_answers_us),
        window_(scenario.window),
        most_ended_(kMaxEnded + std::bit_width(scenario.window)),
        lanes_{static_cast<std::uint32_t>(scenario.lanes)},
        of_key_(static_cast<std::size_t>(scenario.keys)) {}

  EventNumber Written(const Fate& fate);
  void Committed(EventNumber e, std::uint32_t commit) {
    fates_[e].commit = commit;
    fates_[e].committed_at = world_.now();
    fates_[e].behind = waiting_++;
  }
  void RolledBack(EventNumber e) { fates_[e].rolled_back = true; }
  void Requeued(EventNumber e, RowId id, std::uint32_t commit);
  void Died(EventNumber e) {
    fates_[e].dead = true;
    Moved(e);
  }
  void RecordedAsDelivered(EventNumber e);
  // Records that the event is sent from a batch that was read at `read_at`.
  void SentOfRead(EventNumber e, Time read_at);

  void Sent(EventNumber e, bool lease_lives);
  void Stored(const Row& row, std::uint32_t lane);
  // Sets the number of partitions of each topic. A relay that does not know the change yet still uses the old number.
  void MorePartitions(std::uint32_t lanes) { lanes_.push_back(lanes); }
  // Records that an operator puts `rows` rows back at once. New events then wait until the events of these rows have
  // been sent, one window after the other.
  void LetGo(std::size_t rows) { let_go_ = static_cast<Time>(rows / window_) + 1; }
  // Records that the broker refuses a request of the shard's stream, which ends the producer.
  void RequestRefused(std::uint32_t shard) {
    Fault(shard);
    refused_at_.push_back(world_.now());
  }
  void Acked(EventNumber e) { fates_[e].acked = true; }
  void Deleted(EventNumber e);
  void FailureTaken(EventNumber e, bool token_holds);
  // True if an event of the key has ever failed. Events of such a key may have to wait for rescans, which take time.
  [[nodiscard]] bool EverFailed(int key) const { return failed_keys_.contains(key); }
  // Records that a failure of the event counts as an attempt.
  void Charged(EventNumber e);
  void EndsRelay(EventNumber e);
  void Blamed(EventNumber e);  // Records that the event is named as the cause of relay crashes.

  // A value of Fault()'s parameter `shard` that means all shards.
  static constexpr std::uint32_t kAllShards = ~0u;
  // Number of relays that a poison event may crash: one at full speed, and three that had marked it. The constructor
  // adds one for each doubling of the slow start.
  static constexpr std::uint32_t kMaxEnded = 4;
  // Records a fault that may cause duplicates in one shard or in all of them, from now on for the time `lasts`.
  void Fault(std::uint32_t shard, Time lasts = 0);
  // kSlowestFlow is the longest time that an event may wait in a flow without faults. It counts from the event's
  // commit or, if that is later, from kRelaysWork, when the relay is surely running.
  static constexpr Time kSlowestFlow = 1'500 * kMillisecond, kRelaysWork = 3 * kSecond;
  // Records that a lease expires, or is about to expire, by the database's clock. The expiry counts as a fault of its
  // own, because several disturbances that are too short to be faults can add up to it.
  void LeaseEnds(std::uint32_t shard);
  // Records that, until `until`, leases may expire by the database's clock earlier than a relay can know.
  void LeasesUnsure(Time until) { unsure_until_ = until; }
  // Records that leases may expire later by `longer`. During that time, a shard may have to wait until the lease of a
  // relay that is gone expires.
  void LeasesLast(Time longer) { leases_last_until_ = std::max(leases_last_until_, world_.now()) + longer; }

  // Records that the number of shards changes, and with it the shard of each event.
  void Resharded(std::uint32_t shards);

  void Break(std::string why);
  [[nodiscard]] bool Broken() const { return !broken_.empty(); }
  [[nodiscard]] const std::string& broken() const { return broken_; }

  [[nodiscard]] const Fate& Of(EventNumber e) const { return fates_[e]; }
  [[nodiscard]] Fate& Of(EventNumber e) { return fates_[e]; }
  [[nodiscard]] const std::vector<Fate>& fates() const { return fates_; }
  [[nodiscard]] std::string Name(EventNumber e) const;
  // Returns when an event of the shard last came to the topic, left the outbox or was recorded as failed.
  [[nodiscard]] Time MovedAt(std::uint32_t shard) const {
    const auto at = moved_at_.find(shard);
    return std::max(at == moved_at_.end() ? 0 : at->second, leases_last_until_);
  }
  [[nodiscard]] bool only_refusals() const { return only_refusals_; }
  [[nodiscard]] std::uint64_t delivered() const { return delivered_; }
  [[nodiscard]] std::uint64_t duplicates() const { return duplicates_; }
  [[nodiscard]] std::size_t faults() const { return faults_.size(); }
  [[nodiscard]] Time last_fault() const { return last_fault_; }

 private:
  struct FaultTime {
    std::uint32_t shard;
    Time begin, end;
  };
  void Moved(EventNumber e) { moved_at_[fates_[e].shard] = world_.now(); }
  void CheckOrder(EventNumber e);
  void CheckDuplicate(EventNumber e);
  void CheckFlow(EventNumber e);

  // True if the scenario has faults through which a lease or the mark on a row may expire. Where rows are marked,
  // faults of the broker count too, because a mark is not renewed while its event waits for the broker.
  static bool LeasesMayEnd(const Scenario& s) {
    const double of_marks = s.broker_outage + s.stall + s.ack_lost;
    return s.nap + s.pause + s.crash + s.storage_error + s.database_outage + s.database_clock + s.killer + s.vanish +
               (s.marks_rows ? of_marks : 0) >
           0;
  }

  World& world_;
  History& history_;
  const bool leases_may_end_, only_killers_, only_refusals_;
  const Time broker_answers_;
  const std::uint32_t window_;
  const std::uint32_t most_ended_;
  std::vector<std::uint32_t> lanes_;  // All numbers of partitions that the topics have had so far.
  std::vector<Fate> fates_;
  std::vector<std::vector<EventNumber>> of_key_;
  std::set<int> failed_keys_;
  std::map<std::uint32_t, Time> moved_at_;  // Keyed by shard.
  std::vector<FaultTime> faults_;
  std::vector<Time> refused_at_;
  Time let_go_ = 0;            // Number of windows of events that an operator has put back at once.
  std::uint32_t waiting_ = 0;  // Number of events that are committed and not in the broker's log.
  Time last_fault_ = 0, unsure_until_ = -1, leases_last_until_ = 0;
  std::uint64_t delivered_ = 0, duplicates_ = 0;
  std::string broken_;
};

}  // namespace outbox::simulation
