// ReserveNewEvents of a leased shard: from a position, retries beside new rows, and a rescan beside the reading.
#pragma once

#include <cstdint>
#include <map>

#include "outbox.hpp"
#include "outbox/shares.hpp"

namespace outbox::memory {

// Of one session. REQUIRES of all: the outbox's mutex is held.
class ShardReader {
 public:
  explicit ShardReader(Outbox& outbox) : outbox_(outbox) {}
  // REQUIRES: the shard is leased under the call's token.
  void Read(const Call& call, const ReserveRequest& request, BatchBuilder& batch);

 private:
  struct Position {
    std::uint64_t token = 0;
    RowNumber id = 0;  // the last row read; a hint, lost with the session
    Shares shares = {};
    RowNumber rescanned = 0, rescan_end = 0;  // end 0 = no rescan is under way
  };
  template <class Mine>
  void ReadOn(Position& position, Mine mine, const ReserveRequest& request, BatchBuilder& batch);
  template <class Mine>
  void Rescan(Position& position, Mine mine, BatchBuilder& batch);

  Outbox& outbox_;
  std::map<std::uint32_t, Position> positions_;  // by shard
};

}  // namespace outbox::memory
