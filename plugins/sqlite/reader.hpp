// ReserveNewEvents on SQLite.
//
// There is one writer at a time, so ids are given in the order of commits and a reading position can be trusted: what
// lies at or below it has been read. Rows are met in ascending order, each with its failures, if the outbox has any.
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

class Reader {
 public:
  Reader(Connection& connection, const sql::Tables& tables);
  void Read(const Call& call, const ReserveRequest& request, BatchBuilder& batch);

 private:
  // A hint, lost with the session.
  struct Position {
    std::uint64_t token = 0;
    long long id = 0;  // the last row read
    // The failure that was looked at last, in the order in which they fall due.
    long long due = kNever, due_row = 0;
    bool due_left = false;  // the batch had no room for some of them
    Shares shares = {};
    long long rescanned = 0, rescan_end = 0;  // end 0 = no rescan is under way
  };
  static constexpr long long kNever = std::numeric_limits<long long>::min();
  void AddDue(const ReserveRequest& request, Position& position, BatchBuilder& batch);
  void AddNew(Position& position, BatchBuilder& batch);
  void Rescan(Position& position, BatchBuilder& batch);
  // The row that `row` stands on, if it is this shard's and does not wait. False = the batch is full.
  bool Add(const Prepared& row, BatchBuilder& batch);
  [[nodiscard]] bool Ours(long long id, const Bytes& key) const;
  [[nodiscard]] bool Waits(long long id, std::string_view event_id, const Bytes& key, std::uint32_t& attempts);

  Connection& connection_;
  Prepared now_, due_, by_id_, after_, failed_, earlier_;
  ColumnValues values_;
  std::map<std::uint32_t, Position> positions_;  // by shard

  // Of the read under way.
  std::uint32_t shard_ = 0, shards_ = 1;
  bool troubled_ = false;       // outbox_retry is not empty
  bool unfailed_only_ = false;  // leave out what has failed, due or not
  long long at_ = 0;            // the database's time
};

// Which rows are whose must be the same for every relay of one outbox, and must never change.
[[nodiscard]] std::uint32_t ShardOf(long long id, const Bytes& key, std::uint32_t shards);

}  // namespace outbox::sqlite
