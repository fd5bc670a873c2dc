// ReserveNewEvents on SQLite.
//
// There is one writer at a time, so ids are given in the order of commits and a reading position can be trusted: what
// lies at or below it has been read. Rows are met in ascending order, each with its failures, if the outbox has any.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>

#include "outbox/adapter.hpp"
#include "sql/tables.hpp"
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
    std::chrono::steady_clock::time_point swept;
    bool caught_up = false;
  };
  bool AddDue(const Position& position, BatchBuilder& batch);
  void AddNew(Position& position, BatchBuilder& batch);
  // The row that `row` stands on, if it is this shard's and does not wait. False = the batch is full.
  bool Add(const Prepared& row, BatchBuilder& batch);
  [[nodiscard]] bool Ours(long long id, const Bytes& key) const;
  [[nodiscard]] bool Waits(long long id, const Bytes& key, std::uint32_t& attempts);

  Connection& connection_;
  Prepared now_, due_, by_id_, after_, failed_, earlier_;
  std::map<std::uint32_t, Position> positions_;  // by shard

  // Of the read under way.
  std::uint32_t shard_ = 0, shards_ = 1;
  bool troubled_ = false;  // outbox_retry is not empty
  long long at_ = 0;       // the database's time
};

// Which rows are whose must be the same for every relay of one outbox, and must never change.
[[nodiscard]] std::uint32_t ShardOf(std::string_view row_id, const Bytes& key, std::uint32_t shards);

}  // namespace outbox::sqlite
