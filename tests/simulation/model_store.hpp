// The outbox as the contract describes it: ids are taken before rows are visible, a read is one snapshot and overlaps
// with what others write, failed rows keep back the later ones of their key, leases are by the database's own clock.
#pragma once

#include <cstdint>
#include <map>
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
  std::uint32_t reads = 0;  // of the mutant with a sweep of its own
};

struct Found {
  Row row;
  std::uint32_t attempts;
};

// What one statement saw.
struct Snapshot {
  std::vector<Found> rows;  // ascending; among them what the relay may have in hand
  std::uint32_t commit = 0;
  RowId last_id = 0;
};

struct Failure {
  Row row;
  std::int32_t disposition;
  Time retry_after;
  bool blamed = false;  // for the end of relays
};

class ModelStore {
 public:
  ModelStore(World& world, Ledger& ledger, History& history, const Scenario& scenario)
      : leases(scenario.shards), world_(world), ledger_(ledger), history_(history), mutant_(scenario.mutant) {}

  ModelLeases leases;
  [[nodiscard]] Time clock() const { return world_.now() + clock_ahead_; }
  void MoveClock(Time by) { clock_ahead_ += by; }
  void DownUntil(Time t) { down_until_ = std::max(down_until_, t); }
  [[nodiscard]] bool down() const { return world_.now() < down_until_; }

  // ---- writers ----
  RowId TakeId();
  void Commit(const std::vector<Row>& rows);

  // ---- the verbs; reads and failures under the token of the shard ----
  [[nodiscard]] Snapshot Look(std::uint32_t shard, Position& position) const;
  // Of what was seen, at most `limit` that are not in hand; moves the position.
  template <class InHand>
  static std::vector<Found> Choose(const Snapshot& snapshot, Position& position, std::uint32_t limit, InHand&& in_hand,
                                   bool& more) {
    std::vector<Found> chosen;
    more = false;
    for (const Found& found : snapshot.rows) {
      if (in_hand(found.row.id)) continue;
      if (chosen.size() == limit) {
        more = true;
        // Late rows are below the cursor: until all of them are chosen it stays.
        if (found.row.id > position.cursor) {
          position.cursor = found.row.id - 1;
          position.commit = snapshot.commit;
        }
        return chosen;
      }
      chosen.push_back(found);
    }
    position.cursor = std::max(position.cursor, snapshot.last_id);
    position.commit = snapshot.commit;
    return chosen;
  }
  void Confirm(const std::vector<Row>& rows);
  bool Fail(std::uint32_t shard, std::uint64_t token, const std::vector<Failure>& failures);

  // ---- the operator ----
  void Unblock(EventNumber e);
  void Requeue(EventNumber e);
  [[nodiscard]] std::vector<EventNumber> Blocked() const;
  [[nodiscard]] std::vector<EventNumber> Dead() const;

  // Rows that nothing keeps from being delivered.
  [[nodiscard]] std::vector<EventNumber> Movable() const;
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
  };
  void Erase(RowId id);

  World& world_;
  Ledger& ledger_;
  History& history_;
  const Mutant mutant_;
  Time clock_ahead_ = 0, down_until_ = 0;
  RowId last_id_ = 0;
  std::uint32_t commits_ = 0;
  std::map<RowId, Stored> rows_;
  std::map<RowId, Retry> retries_;
};

}  // namespace outbox::simulation
