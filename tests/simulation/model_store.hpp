// A model of the outbox as the contract describes it. Ids are taken before rows become visible. A read is one snapshot
// and overlaps with the transactions of writers. Failed rows hold back the later rows of their key. Leases are judged
// by the database's own clock.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "tests/simulation/ledger.hpp"
#include "tests/simulation/model_leases.hpp"
#include "tests/simulation/scenario.hpp"

namespace outbox::simulation {

// The position of a session, which may be lost at any time. Rows up to `cursor` that were visible at the commit with
// the number `commit` have been returned or skipped.
struct Position {
  std::uint64_t token = 0;
  RowId cursor = 0;
  std::uint32_t commit = 0;
  // Late rows that became visible after `commit` and were returned already. Each is returned once, even if the answer
  // to the read does not reach the relay.
  std::set<RowId> brought = {};
  std::uint32_t reads = 0;     // Number of reads; used only by the mutant that reads late rows separately.
  bool retry_is_next = false;  // True if the next batch of a single row is for a retry.
};

// The position of the rescan that runs beside normal reading. `end` is 0 if no rescan is under way.
struct Rescan {
  RowId cursor = 0, end = 0;
  std::uint32_t commit = 0;
  std::set<RowId> brought = {};
};

struct Found {
  Row row;
  std::uint32_t attempts;
};

// The rows that one statement saw. They may include rows that are outstanding at the relay.
struct Snapshot {
  // `due` is ordered by the time at which rows became due; `late` and `fresh` are ordered by id.
  std::vector<Found> late, due, fresh;
  std::uint32_t commit = 0;
  RowId last_id = 0;  // The highest id up to which rows were examined.
  bool cut = false;   // True if there are more rows behind last_id.
  Time at = 0;
};

struct Failure {
  Row row;
  std::int32_t disposition;
  Time retry_after;
  bool blamed = false;  // True if the event is blamed for crashes of relays.
};

// A batch that is returned by a store which marks rows instead of leasing shards.
struct Marked {
  std::vector<Found> rows = {};
  std::uint64_t token = 0;  // The token of the marks on these rows.
  bool more = false;
  Time at = 0;
};

class ModelStore {
 public:
  ModelStore(World& world, Ledger& ledger, History& history, const Scenario& scenario)
      : leases(scenario.shards),
        world_(world),
        ledger_(ledger),
        history_(history),
        mutant_(scenario.mutant),
        most_shards_(scenario.shards),
        marks_rows_(scenario.marks_rows) {}

  ModelLeases leases;
  [[nodiscard]] Time clock() const { return world_.now() + clock_ahead_; }
  void MoveClock(Time by) { clock_ahead_ += by; }
  void DownUntil(Time t) { down_until_ = std::max(down_until_, t); }
  [[nodiscard]] bool down() const { return world_.now() < down_until_; }

  // ---- writers ----
  RowId TakeId();
  void Commit(const std::vector<Row>& rows);

  // ---- reads and writes; reads and failures require the token of the shard ----

  // Limits of the numbers of new rows, and of rows of a rescan, that one statement examines, however few of those rows
  // can be sent.
  static constexpr std::size_t kMaxRows = 40, kMaxRescanned = 8;
  [[nodiscard]] Snapshot Look(std::uint32_t shard, Position& position) const;
  [[nodiscard]] Snapshot LookBelow(std::uint32_t shard, const Position& position, Rescan& rescan) const;
  using OutstandingRows = std::function<bool(RowId)>;  // Returns true if the row is outstanding at the relay.
  // Returns at most `limit` rows of the snapshot that are not outstanding, and moves the position. Sets `more` to true
  // if rows remain, otherwise to false.
  [[nodiscard]] std::vector<Found> Choose(Snapshot snapshot, Position& position, std::uint32_t limit,
                                          const OutstandingRows& outstanding, bool& more) const;
  // Chooses rows for a step of a rescan, as Choose does for a normal read. Returns one of the codes OUTBOX_RESCAN_….
  [[nodiscard]] static std::uint32_t ChooseBelow(Snapshot snapshot, const Position& position, Rescan& rescan,
                                                 std::uint32_t limit, const OutstandingRows& outstanding,
                                                 std::vector<Found>& chosen);
  // Returns the new rows of the shard that wait for no other row of their key and that were visible to the read that
  // saw `snapshot`.
  [[nodiscard]] std::vector<EventNumber> Readable(std::uint32_t shard, const Snapshot& snapshot) const;
  // Returns the number of all rows of the shard, and the number of those that have not failed.
  [[nodiscard]] std::pair<std::size_t, std::size_t> RowsOf(std::uint32_t shard) const;
  // Removes rows. Returns OUTBOX_REFUSED if the database refuses to remove one of them; then none is removed. Sets
  // `kept` to 1 for each row that is still there. `owns` is true if the lease of the confirming relay has not expired.
  [[nodiscard]] outbox_code Confirm(const std::vector<Row>& rows, std::vector<std::uint8_t>& kept, bool owns);
  std::uint64_t RemoveDelivered();
  // Records failures and returns true if `token` is the token of the shard or, where rows are marked, the token of the
  // marks on these rows. If the token is stale, changes nothing and returns false.
  bool Fail(std::uint32_t shard, std::uint64_t token, const std::vector<Failure>& failures);

  // ---- marked rows: several relays read at the same time, and a row belongs to one relay until its mark ends ----

  // Marks rows for the relay and returns them. The read always begins at the oldest row. A row waits while an earlier
  // row of its key is marked by another relay.
  [[nodiscard]] Marked ReserveMarked(RelayId relay, Time reserve, std::uint32_t limit, bool without_retries,
                                     const OutstandingRows& outstanding);
  bool ReleaseMarked(std::uint64_t token, const std::vector<Row>& rows);
  // True if no other relay holds a mark on the row, even if the row is gone.
  [[nodiscard]] bool IsFreeFor(RowId row, RelayId relay) const;

  // ---- the operator ----

  // Changes the number of shards. Returns false if a relay is running or the database is down.
  [[nodiscard]] bool Reshard(std::uint32_t shards);
  [[nodiscard]] std::uint32_t most_shards() const { return most_shards_; }
  void Unblock(EventNumber e);
  void Requeue(EventNumber e);
  [[nodiscard]] std::vector<EventNumber> Blocked() const;
  [[nodiscard]] std::vector<EventNumber> Dead() const;

  // Returns the events whose rows can still be delivered or removed without an operator.
  [[nodiscard]] std::vector<EventNumber> Movable() const;
  // A deliverable row, and the time at which it became deliverable.
  struct Waiting {
    EventNumber event;
    Time since;
  };
  // Returns the row of the shard that has been deliverable for the longest time: it is not queued behind another row
  // and is not waiting for a retry.
  [[nodiscard]] std::optional<Waiting> LongestWaiting(std::uint32_t shard) const;
  [[nodiscard]] bool Has(EventNumber e) const { return rows_.contains(ledger_.Of(e).id); }

 private:
  struct Stored {
    Row row;
    std::uint32_t shard, commit;
  };
  struct Retry {
    std::uint32_t attempts = 0;
    Time due = 0;
    bool blocked = false;
    // True if the event was delivered but its row could not be removed; `due` is then the time of the next attempt to
    // remove it.
    bool delivered = false;
  };
  static constexpr RelayId kNobody = -1;
  struct Mark {
    // The relay that holds the mark. kNobody if the mark was released or the failure of the row was recorded; the mark
    // is kept because the write may be repeated.
    RelayId relay = kNobody;
    std::uint64_t token = 0;
    Time until = 0;  // The end of the mark by the database's clock.
  };
  void Erase(RowId id);
  [[nodiscard]] bool MarkedUnder(std::uint64_t token, RowId row) const;
  [[nodiscard]] Snapshot LookAtFree(RelayId relay, const OutstandingRows& outstanding) const;
  // Calls f(id, stored, retry, behind) for each row of the shard that is not recorded as delivered, oldest first,
  // until f returns false. `retry` is the row's failure or null. `behind` is true if an earlier row of the same key
  // has failed and holds this one back.
  template <class F>
  void EachThatMayGo(std::uint32_t shard, F f) const;

  World& world_;
  Ledger& ledger_;
  History& history_;
  const Mutant mutant_;
  Time clock_ahead_ = 0, down_until_ = 0;
  RowId last_id_ = 0;
  std::uint32_t commits_ = 0, most_shards_;
  std::map<RowId, Stored> rows_;
  std::map<RowId, Retry> retries_;
  // Keys whose failed row an earlier owner has removed. In a real relay, the periodic rescan finds the later events of
  // these keys. The simulator switches that rescan off, because nothing else may depend on it, so here the next read
  // returns these events.
  std::set<int> until_rescan_;
  const bool marks_rows_;
  std::map<RowId, Mark> marks_;
  std::uint64_t last_mark_ = 0;
};

}  // namespace outbox::simulation
