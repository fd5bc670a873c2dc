// Implements ReserveNewEvents on SQLite.
//
// SQLite allows one writer at a time, so ids are assigned in the order of commits and a reading position can be
// trusted: every row at or below it has been read. Rows are read in ascending order of their ids. If the outbox has
// failures, each row is checked for its own failure and for an earlier failure of its key.
#pragma once

#include <cstdint>
#include <limits>
#include <map>

#include "outbox/adapter.hpp"
#include "outbox/shares.hpp"
#include "sql/tables.hpp"
#include "sqlite/capture.hpp"
#include "sqlite/connection.hpp"

namespace outbox::sqlite {

// Reads shards for one session. The adapter owns the object. Thread: the thread of the session.
class Reader {
 public:
  // Prepares the statements. REQUIRES: the tables exist.
  Reader(Connection& connection, const sql::Tables& tables);
  void Read(const Call& call, const ReserveRequest& request, BatchBuilder& batch);

 private:
  // The position up to which a shard has been read. It is lost with the session, and the shard is then read from its
  // oldest row, which only costs time.
  struct Position {
    // Token of the lease under which the shard was read.
    std::uint64_t token = 0;
    // Id of the last row that was read.
    long long id = 0;
    // The failure that was checked last, in the order in which failures fall due: the time at which it fell due in
    // milliseconds since 1970, and its row id.
    long long due = kNever, due_row = 0;
    // True if a failed row whose retry is due was passed over, because the batch had no room for it.
    bool due_left = false;
    Shares shares = {};
    // Id of the last row that the rescan has passed, and the value of `id` when the rescan began. If `rescan_end` is 0,
    // no rescan is under way.
    long long rescanned = 0, rescan_end = 0;
  };
  static constexpr long long kNever = std::numeric_limits<long long>::min();
  void AddDue(const ReserveRequest& request, Position& position, BatchBuilder& batch);
  void AddNew(Position& position, BatchBuilder& batch);
  void Rescan(Position& position, BatchBuilder& batch);
  // Adds the row to the batch if it belongs to the shard and need not wait. Returns false if the batch is full.
  bool Add(const Prepared& row, BatchBuilder& batch);
  [[nodiscard]] bool Ours(long long id, const Bytes& key) const;
  [[nodiscard]] bool Waits(long long id, std::string_view event_id, const Bytes& key, std::uint32_t& attempts);

  Connection& connection_;
  Prepared now_, due_, by_id_, after_, failed_, earlier_;
  ColumnValues values_;
  // The positions by the numbers of the shards.
  std::map<std::uint32_t, Position> positions_;

  // State of the read that is under way: the shard and the number of shards; true if outbox_retry has rows; true if
  // rows that have failed are left out even if they are due; the time of the database in milliseconds since 1970.
  std::uint32_t shard_ = 0, shards_ = 1;
  bool troubled_ = false;
  bool unfailed_only_ = false;
  long long at_ = 0;
};

// Returns the shard of a row. INVARIANT: every relay of an outbox, in every version, computes the same shard for a row.
[[nodiscard]] std::uint32_t ShardOf(long long id, const Bytes& key, std::uint32_t shards);

}  // namespace outbox::sqlite
