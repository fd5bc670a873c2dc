// The outbox as the contract describes it: ids are taken before rows are visible, writers of one key are serialised,
// a read is one snapshot, failed rows keep back the later ones of their key, the lease is by the store's clock.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "engine/engine.hpp"
#include "tests/simulation/world.hpp"

namespace outbox::simulation {

using RowId = std::uint64_t;
inline constexpr int kNoKey = -1;

enum class Poison : std::uint8_t {
  kNone,
  kUnsendable,  // judged before sending, for good
  kTooLarge,    // refused by the broker, for good
  kShy,         // refused by the broker twice, then taken
  kMending,     // judged unsendable once, then sent
};

struct Row {
  RowId id;
  int key;
  std::uint32_t sequence;  // per key, from 0
  Poison poison = Poison::kNone;
};

class ModelStore {
 public:
  explicit ModelStore(World& world) : world_(world) {}

  // ---- writers ----
  RowId TakeId() { return next_id_++; }
  void Commit(const std::vector<Row>& rows) {
    for (const Row& r : rows) rows_.emplace(r.id, r);
    committed_.insert(committed_.end(), rows.begin(), rows.end());
  }

  // ---- lease ----
  struct Lease {
    int owner = -1;
    std::uint64_t token = 0;
    Time until = 0;
  };
  std::optional<Lease> Heartbeat(int relay, Time duration) {
    if (lease_.owner != relay) {
      if (lease_.owner >= 0 && lease_.until > world_.now()) return std::nullopt;
      lease_.owner = relay;
      ++lease_.token;
    }
    lease_.until = world_.now() + duration;
    return lease_;
  }
  void Return(int relay, std::uint64_t token) {
    if (lease_.owner == relay && lease_.token == token) lease_.owner = -1;
  }
  [[nodiscard]] bool Holds(int relay, std::uint64_t token) const {
    return lease_.owner == relay && lease_.token == token;
  }

  // ---- a session's reading position: a hint ----
  struct Position {
    RowId cursor = 0;
    std::set<RowId> seen;  // at or below the cursor and visible when it passed
  };
  struct ReadRow {
    Row row;
    std::uint32_t attempts;
  };
  std::vector<ReadRow> Read(Position& position, bool sweep, std::uint32_t limit,
                            const std::function<bool(RowId)>& in_hand, bool& more) {
    if (sweep) position = {};
    std::set<int> held;
    std::vector<ReadRow> out;
    more = false;
    for (const auto& [id, row] : rows_) {
      const auto retry = retries_.find(id);
      const bool waits = retry != retries_.end() && (retry->second.blocked || retry->second.due > world_.now());
      const bool behind = row.key != kNoKey && held.contains(row.key);
      if (retry != retries_.end() && row.key != kNoKey) held.insert(row.key);
      const bool returned_retry = retry != retries_.end() && !waits;
      if (id <= position.cursor && position.seen.contains(id) && !returned_retry) continue;
      if (!waits && !behind && !in_hand(id)) {
        if (out.size() == limit) {
          more = true;
          return out;
        }
        out.push_back({row, retry == retries_.end() ? 0 : retry->second.attempts});
      }
      position.seen.insert(id);
      position.cursor = std::max(position.cursor, id);
    }
    return out;
  }

  // ---- verbs ----
  void Confirm(const std::vector<RowId>& ids) {
    for (const RowId id : ids) {
      rows_.erase(id);
      retries_.erase(id);
    }
  }
  struct Failure {
    RowId id;
    std::int32_t disposition;
    Time retry_after;
  };
  bool Fail(int relay, std::uint64_t token, const std::vector<Failure>& failures) {
    if (!Holds(relay, token)) return false;
    for (const Failure& f : failures) {
      if (!rows_.contains(f.id)) continue;
      if (f.disposition == OUTBOX_DEAD) {
        dead_.insert(f.id);
        rows_.erase(f.id);
        retries_.erase(f.id);
      } else {
        auto& retry = retries_[f.id];
        ++retry.attempts;
        retry.due = world_.now() + f.retry_after;
        retry.blocked = f.disposition == OUTBOX_BLOCK;
      }
    }
    return true;
  }

  [[nodiscard]] const std::vector<Row>& committed() const { return committed_; }
  [[nodiscard]] const std::set<RowId>& dead() const { return dead_; }
  [[nodiscard]] bool IsBlocked(RowId id) const {
    const auto retry = retries_.find(id);
    return retry != retries_.end() && retry->second.blocked;
  }
  // Rows that nothing keeps from being delivered.
  [[nodiscard]] std::size_t Movable() const {
    std::set<int> held;
    std::size_t n = 0;
    for (const auto& [id, row] : rows_) {
      if (IsBlocked(id)) {
        if (row.key != kNoKey) held.insert(row.key);
      } else if (row.key == kNoKey || !held.contains(row.key)) {
        ++n;
      }
    }
    return n;
  }

 private:
  struct Retry {
    std::uint32_t attempts = 0;
    Time due = 0;
    bool blocked = false;
  };
  World& world_;
  RowId next_id_ = 1;
  std::map<RowId, Row> rows_;
  std::map<RowId, Retry> retries_;
  std::set<RowId> dead_;
  std::vector<Row> committed_;
  Lease lease_;
};

}  // namespace outbox::simulation
