// A model of the outbox as the contract describes it. Ids are taken before rows become visible; a read is one snapshot
// and overlaps with the transactions of writers; failed rows hold back the later rows of their key; leases go by the
// database's own clock.
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

// The position of a session, which is a hint. Rows up to `cursor` that were visible at `commit` have been returned or
// skipped.
struct Position {
  std::uint64_t token = 0;
  RowId cursor = 0;
  std::uint32_t commit = 0;
  // Late rows since that commit that were returned already. They are returned once, also if the relay does not take
  // them.
  std::set<RowId> brought = {};
  std::uint32_t reads = 0;     // Counts the reads of the mutant that rewinds in a way of its own.
  bool retry_is_next = false;  // For batches of one row: whether the next one is a retry.
};

// The position of the rescan that runs beside normal reading; end = 0 if there is none.
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
  // `due` is ordered by the time at which rows became due; the others ascend by id.
  std::vector<Found> late, due, fresh;
  std::uint32_t commit = 0;
  RowId last_id = 0;  // All ids up to this one were checked.
  bool cut = false;   // There are more rows behind last_id.
  Time at = 0;
};

struct Failure {
  Row row;
  std::int32_t disposition;
  Time retry_after;
  bool blamed = false;  // The event is blamed for the crash of relays.
};

// A batch that a store without shards, which marks rows, returns to a relay.
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

  // ---- verbs; reads and failures require the token of the shard ----
  // A statement looks at no more than that many new rows, however few of them can be sent.
  static constexpr std::size_t kMaxRows = 40, kMaxRescanned = 8;
  [[nodiscard]] Snapshot Look(std::uint32_t shard, Position& position) const;
  [[nodiscard]] Snapshot LookBelow(std::uint32_t shard, const Position& position, Rescan& rescan) const;
  // Chooses at most `limit` rows of the snapshot that are not outstanding, and moves the position.
  using OutstandingRows = std::function<bool(RowId)>;
  [[nodiscard]] std::vector<Found> Choose(Snapshot snapshot, Position& position, std::uint32_t limit,
                                          const OutstandingRows& outstanding, bool& more) const;
  // Does the same for a rescan. Returns OUTBOX_RESCAN_....
  [[nodiscard]] static std::uint32_t ChooseBelow(Snapshot snapshot, const Position& position, Rescan& rescan,
                                                 std::uint32_t limit, const OutstandingRows& outstanding,
                                                 std::vector<Found>& chosen);
  // New rows of the shard that wait for no other row of their key, and that a read that saw `snapshot` could have
  // returned.
  [[nodiscard]] std::vector<EventNumber> Readable(std::uint32_t shard, const Snapshot& snapshot) const;
  // The number of all rows, and of those that have not failed.
  [[nodiscard]] std::pair<std::size_t, std::size_t> RowsOf(std::uint32_t shard) const;
  // Returns OUTBOX_REFUSED if the database refuses one of the rows; then none is removed. `kept` says which rows are
  // still there. `owns`: the lease of the confirming relay has not expired.
  [[nodiscard]] outbox_code Confirm(const std::vector<Row>& rows, std::vector<std::uint8_t>& kept, bool owns);
  std::uint64_t RemoveDelivered();
  // REQUIRES: `token` is the token of the shard or, where rows are marked, of the rows. A stale token changes nothing;
  // the function returns false.
  bool Fail(std::uint32_t shard, std::uint64_t token, const std::vector<Failure>& failures);

  // ---- marked rows: several relays read at the same time, and a row belongs to one relay until its mark ends ----
  // A read always begins at the oldest row. A row waits while an earlier row of its key is marked by another relay.
  [[nodiscard]] Marked ReserveMarked(RelayId relay, Time reserve, std::uint32_t limit, bool without_retries,
                                     const OutstandingRows& outstanding);
  bool ReleaseMarked(std::uint64_t token, const std::vector<Row>& rows);
  // True if no other relay has marked the row. This includes a row that is gone.
  [[nodiscard]] bool IsFreeFor(RowId row, RelayId relay) const;

  // ---- the operator ----
  // Returns false if it cannot be done now.
  [[nodiscard]] bool Reshard(std::uint32_t shards);
  [[nodiscard]] std::uint32_t most_shards() const { return most_shards_; }
  void Unblock(EventNumber e);
  void Requeue(EventNumber e);
  [[nodiscard]] std::vector<EventNumber> Blocked() const;
  [[nodiscard]] std::vector<EventNumber> Dead() const;

  // Events whose rows can still be delivered or removed without an operator.
  [[nodiscard]] std::vector<EventNumber> Movable() const;
  // The row of the shard that could have been delivered for the longest time. It waits for no other row and for no
  // retry.
  struct Waiting {
    EventNumber event;
    Time since;
  };
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
    bool delivered = false;  // Delivered, but its row could not be removed; due: when the removal is tried again.
  };
  static constexpr RelayId kNobody = -1;
  struct Mark {
    // kNobody: the mark was released, or the failure of the row was recorded. The same write may come again.
    RelayId relay = kNobody;
    std::uint64_t token = 0;
    Time until = 0;  // When the mark ends, by the database's clock.
  };
  void Erase(RowId id);
  [[nodiscard]] bool MarkedUnder(std::uint64_t token, RowId row) const;
  [[nodiscard]] Snapshot LookAtFree(RelayId relay, const OutstandingRows& outstanding) const;
  // Calls f(id, stored, its failure or null, behind) for each row of the shard, oldest first; behind: an earlier row of
  // its key has failed and holds it back. f returns false to stop.
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
  // Keys whose failed row an earlier owner has removed. In the relay the periodic rescan lets such keys go on; the
  // simulator switches it off, because nothing else may depend on it, so the next read returns what it would find.
  std::set<int> until_rescan_;
  const bool marks_rows_;
  std::map<RowId, Mark> marks_;
  std::uint64_t last_mark_ = 0;
};

}  // namespace outbox::simulation
