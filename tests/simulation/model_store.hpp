// The outbox as the contract describes it: ids are taken before rows are visible, a read is one snapshot and overlaps
// with what others write, failed rows keep back the later ones of their key, leases are by the database's own clock.
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

// Where a session has read to: a hint. Rows up to `cursor` that were visible at `commit` were returned or passed by.
struct Position {
  std::uint64_t token = 0;
  RowId cursor = 0;
  std::uint32_t commit = 0;
  std::set<RowId> brought = {};  // late rows since that commit: they come once, also where they are not taken
  std::uint32_t reads = 0;       // of the mutant with a rewind of its own
  bool retry_is_next = false;    // of a batch of one
};

// Likewise of the rescan beside the reading; end = 0 while there is none.
struct Rescan {
  RowId cursor = 0, end = 0;
  std::uint32_t commit = 0;
  std::set<RowId> brought = {};
};

struct Found {
  Row row;
  std::uint32_t attempts;
};

// What one statement saw; among it what the relay may have in hand.
struct Snapshot {
  std::vector<Found> late, due, fresh;  // due: the longest due first; the others ascend
  std::uint32_t commit = 0;
  RowId last_id = 0;  // looked at up to here
  bool cut = false;   // there are more rows behind
  Time at = 0;
};

struct Failure {
  Row row;
  std::int32_t disposition;
  Time retry_after;
  bool blamed = false;  // for the end of relays
};

// What a store that marks rows gives to a relay.
struct Marked {
  std::vector<Found> rows = {};
  std::uint64_t token = 0;  // of their marks
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

  // ---- the verbs; reads and failures under the token of the shard ----
  // A statement looks at so many new rows, however few of them may go.
  static constexpr std::size_t kMaxRows = 40, kMaxRescanned = 8;
  [[nodiscard]] Snapshot Look(std::uint32_t shard, Position& position) const;
  [[nodiscard]] Snapshot LookBelow(std::uint32_t shard, const Position& position, Rescan& rescan) const;
  // Of what was seen, at most `limit` that are not in hand; moves the position.
  using OutstandingRows = std::function<bool(RowId)>;
  [[nodiscard]] std::vector<Found> Choose(Snapshot snapshot, Position& position, std::uint32_t limit,
                                          const OutstandingRows& outstanding, bool& more) const;
  // Likewise for a rescan. Returns OUTBOX_RESCAN_....
  [[nodiscard]] static std::uint32_t ChooseBelow(Snapshot snapshot, const Position& position, Rescan& rescan,
                                                 std::uint32_t limit, const OutstandingRows& outstanding,
                                                 std::vector<Found>& chosen);
  // New rows of the shard whose keys nothing holds up, and which a read that saw `snapshot` could have brought.
  [[nodiscard]] std::vector<EventNumber> Readable(std::uint32_t shard, const Snapshot& snapshot) const;
  // All rows, and those that have not failed.
  [[nodiscard]] std::pair<std::size_t, std::size_t> RowsOf(std::uint32_t shard) const;
  // OUTBOX_REFUSED where one of them is refused: then nothing is removed. `kept`: which are still there.
  // `owns`: the lease of who confirms has not ended.
  [[nodiscard]] outbox_code Confirm(const std::vector<Row>& rows, std::vector<std::uint8_t>& kept, bool owns);
  std::uint64_t RemoveDelivered();
  // Under the token of the shard or, where rows are marked, of the rows: one that is stale changes nothing and answers false.
  bool Fail(std::uint32_t shard, std::uint64_t token, const std::vector<Failure>& failures);

  // ---- where rows are marked: several relays read beside each other, and a row is one relay's until its mark ends ----
  // A read always begins at the oldest row. A row of a key waits while an earlier one is marked by another relay.
  [[nodiscard]] Marked ReserveMarked(RelayId relay, Time reserve, std::uint32_t limit, bool without_retries,
                                     const OutstandingRows& outstanding);
  bool ReleaseMarked(std::uint64_t token, const std::vector<Row>& rows);
  // A row that is gone is nobody else's either.
  [[nodiscard]] bool IsFreeFor(RowId row, RelayId relay) const;

  // ---- the operator ----
  // False: it cannot be done now.
  [[nodiscard]] bool Reshard(std::uint32_t shards);
  [[nodiscard]] std::uint32_t most_shards() const { return most_shards_; }
  void Unblock(EventNumber e);
  void Requeue(EventNumber e);
  [[nodiscard]] std::vector<EventNumber> Blocked() const;
  [[nodiscard]] std::vector<EventNumber> Dead() const;

  // Rows that nothing keeps from being delivered.
  [[nodiscard]] std::vector<EventNumber> Movable() const;
  // The row of the shard that could have gone for the longest time: it waits for no other one, and for no retry.
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
    bool delivered = false;  // and could not be removed; due = when that is tried again
  };
  static constexpr RelayId kNobody = -1;
  struct Mark {
    RelayId relay = kNobody;  // kNobody: given back, or its failure is recorded; the same write may come again
    std::uint64_t token = 0;
    Time until = 0;  // by the database's clock
  };
  void Erase(RowId id);
  [[nodiscard]] bool MarkedUnder(std::uint64_t token, RowId row) const;
  [[nodiscard]] Snapshot LookAtFree(RelayId relay, const OutstandingRows& outstanding) const;
  // f(id, stored, its failure or null) of each row of the shard that does not stand behind a failed one of its key.
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
  // Keys whose failed row an earlier owner has removed: a rescan by the clock lets them go on. It is off here, as nothing else may
  // need it, so what it would find comes with the next read.
  std::set<int> until_rescan_;
  const bool marks_rows_;
  std::map<RowId, Mark> marks_;
  std::uint64_t last_mark_ = 0;
};

}  // namespace outbox::simulation
