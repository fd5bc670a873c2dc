// Knows what every event went through, from the writers, the tables and the broker's log, never from a relay; and
// judges it while it happens. The first broken promise ends the run.
//
//   I1 no loss            what is committed reaches the log, or is dead or blocked, soon after the last fault
//   I2 no ghost           nothing from a transaction that was rolled back
//   I3 integrity          key, lane and event of a record are those of its row
//   I4 order              of two events of a key, the one with the lower id that was visible no later comes first
//   I5 duplicates         each has a fault between its first sending and its second arrival, and faults and
//                         resets make no more of them than fit into their windows; none without faults
//   I6 confirm safety     a row is deleted only after a report with an offset
//   I7 lease safety       nobody sends without a live lease; a stale owner's failures change nothing; a lease ends only
//                         where something kept it from being renewed
//   I8 a killer is found  where relays end by nothing else, an event ends few of them, and no other one is blamed
//   I9 fairness           what no earlier event of its key holds up is read as soon as without the rows that fail
//   I10 flow               where events are refused and nothing else goes wrong, those of other keys are delivered soon
//   I11 delivered         what is recorded as delivered was acknowledged, and is never read and sent again
//   I12 silence           while rows wait and nothing moves, no relay says that all is well
//   I13 slow start        a shard whose last owner let its lease end is begun slowly
//   I14 innocents         an event that nothing is wrong with is never charged an attempt
//   I15 window            what is outstanding stays within the limits of events and bytes
//   I0 invariants         those of the engine's parts and of the shard coordinator hold after every turn
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
  kUnsendable,  // judged before sending, for good
  kTooLarge,    // refused by the broker, for good
  kShy,         // refused by the broker twice, then taken
  kMending,     // judged unsendable once, then sent
  kKiller,      // ends the relay that sends it
};

// What the database does about the delete of its row.
enum class Stays : std::uint8_t { kNot, kRefused, kIgnored };

// As it lies in the table and travels to the broker.
struct Row {
  RowId id;
  EventNumber event;
  int key;
};

struct Fate {
  int key;
  std::uint64_t spread;  // the hash of its key
  std::uint32_t shard;
  Poison poison;
  RowId id;  // of its present row
  Time committed_at = 0;
  std::uint32_t behind = 0;  // others, committed before it and not stored yet
  std::uint32_t commit = 0;  // number of the transaction that made the row visible, 0 = not committed
  bool rolled_back = false, dead = false, requeued = false, fixed = false;
  bool acked = false;  // a report with an offset was made
  std::uint32_t stored = 0;
  Time first_sent = kForever;
  std::uint32_t refusals = 0;
  Stays stays = Stays::kNot;
  Time recorded_at = kForever;  // as delivered
  std::uint32_t ended = 0;      // relays, since somebody last tried it again
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
  // It is sent, of a read at that time.
  void SentOfRead(EventNumber e, Time read_at);

  void Sent(EventNumber e, bool lease_lives);
  void Stored(const Row& row, std::uint32_t lane);
  // Topics have so many partitions from now on. A relay that does not know it yet sends to those of before.
  void MorePartitions(std::uint32_t lanes) { lanes_.push_back(lanes); }
  // An operator lets so many rows go at once: whatever is new waits until a window after the other of them is through.
  void LetGo(std::size_t rows) { let_go_ = static_cast<Time>(rows / window_) + 1; }
  // A request of the stream, which ends it.
  void RequestRefused(std::uint32_t shard) {
    Fault(shard);
    refused_at_.push_back(world_.now());
  }
  void Acked(EventNumber e) { fates_[e].acked = true; }
  void Deleted(EventNumber e);
  void FailureTaken(EventNumber e, bool token_holds);
  // Rescans find the key's other events, and take their time.
  [[nodiscard]] bool EverFailed(int key) const { return failed_keys_.contains(key); }
  // A failure of the event itself is recorded.
  void Charged(EventNumber e);
  void EndsRelay(EventNumber e);
  void Blamed(EventNumber e);  // for the end of relays

  // Something that may make duplicates, of one shard or of all.
  static constexpr std::uint32_t kAllShards = ~0u;
  // One at full speed, one for each doubling of the first steps, and three that had marked it.
  static constexpr std::uint32_t kMaxEnded = 4;
  void Fault(std::uint32_t shard, Time lasts = 0);
  // From the commit, or from when the relay has surely begun.
  static constexpr Time kSlowestFlow = 1'500 * kMillisecond, kRelaysWork = 3 * kSecond;
  // By the database's clock, or nearly: a fault of its own, as a few troubles that are none may add up to it.
  void LeaseEnds(std::uint32_t shard);
  // Leases may end earlier by the database's clock than anybody can know.
  void LeasesUnsure(Time until) { unsure_until_ = until; }
  // Or that much later: until then a shard may wait for the lease of a relay that is gone.
  void LeasesLast(Time longer) { leases_last_until_ = std::max(leases_last_until_, world_.now()) + longer; }

  // The number of shards changes, and with it the shard of each event.
  void Resharded(std::uint32_t shards);

  void Break(std::string why);
  [[nodiscard]] bool Broken() const { return !broken_.empty(); }
  [[nodiscard]] const std::string& broken() const { return broken_; }

  [[nodiscard]] const Fate& Of(EventNumber e) const { return fates_[e]; }
  [[nodiscard]] Fate& Of(EventNumber e) { return fates_[e]; }
  [[nodiscard]] const std::vector<Fate>& fates() const { return fates_; }
  [[nodiscard]] std::string Name(EventNumber e) const;
  // When an event of the shard last came to the topic, left the outbox or was recorded as failed.
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

  // The mark on a row is not renewed while its event waits for the broker.
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
  std::vector<std::uint32_t> lanes_;  // all numbers that there were
  std::vector<Fate> fates_;
  std::vector<std::vector<EventNumber>> of_key_;
  std::set<int> failed_keys_;
  std::map<std::uint32_t, Time> moved_at_;  // of a shard
  std::vector<FaultTime> faults_;
  std::vector<Time> refused_at_;
  Time let_go_ = 0;            // windows
  std::uint32_t waiting_ = 0;  // committed, and not stored
  Time last_fault_ = 0, unsure_until_ = -1, leases_last_until_ = 0;
  std::uint64_t delivered_ = 0, duplicates_ = 0;
  std::string broken_;
};

}  // namespace outbox::simulation
