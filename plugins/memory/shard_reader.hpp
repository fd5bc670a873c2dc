// Implements ReserveNewEvents for a leased shard (Reserve::kShard). The reader continues from its position, returns
// retries beside new rows, and rescans the rows up to the position in bounded steps when the relay asks for a rescan.
#pragma once

#include <cstdint>
#include <map>

#include "outbox.hpp"
#include "outbox/shares.hpp"

namespace outbox::memory {

// Reads shards for one session, which owns the reader. REQUIRES: the caller holds the mutex of the outbox.
class ShardReader {
 public:
  explicit ShardReader(Outbox& outbox) : outbox_(outbox) {}
  // Adds events of the shard to the batch. REQUIRES: the shard is leased under the token of the call.
  void Read(const Call& call, const ReserveRequest& request, BatchBuilder& batch);

 private:
  // The position up to which a shard has been read. It is lost with the session, and the shard is then read from its
  // oldest row, which only costs time.
  struct Position {
    // Token of the lease under which the shard was read.
    std::uint64_t token = 0;
    // Id of the last row that was read.
    RowNumber id = 0;
    // Divides a batch between retries and new rows.
    Shares shares = {};
    // Id of the last row that the rescan has passed, and the value of `id` when the rescan began. If `rescan_end` is 0,
    // no rescan is under way.
    RowNumber rescanned = 0, rescan_end = 0;
  };
  // The predicate `mine(id, row)` of both templates returns true if the row belongs to the shard and is not queued
  // behind a failed event of its key.
  template <class Mine>
  void ReadOn(Position& position, Mine mine, const ReserveRequest& request, BatchBuilder& batch);
  template <class Mine>
  void Rescan(Position& position, Mine mine, BatchBuilder& batch);

  Outbox& outbox_;
  // The positions by the numbers of the shards.
  std::map<std::uint32_t, Position> positions_;
};

}  // namespace outbox::memory
