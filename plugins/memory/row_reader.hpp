// ReserveNewEvents where rows are marked: the shape for a database without a cheap lease of a shard. Several relays read beside
// each other, each row that one is given is its own until the mark ends or is taken back, and every read begins at the oldest
// row. What keeps the order of a key across relays:
//
// INVARIANT: no row is given while an earlier one of its key is marked by another relay, or waits after a failure.
// INVARIANT: what is marked by this relay and not outstanding, as where an answer was lost, is given to it again, and before
// later rows of its key.
#pragma once

#include <utility>
#include <vector>

#include "outbox.hpp"
#include "outbox/shares.hpp"

namespace outbox::memory {

// Of one session. REQUIRES: the outbox's mutex is held.
class RowReader {
 public:
  explicit RowReader(Outbox& outbox) : outbox_(outbox) {}
  void Read(const ReserveRequest& request, BatchBuilder& batch);

 private:
  struct Free {
    std::vector<RowNumber> fresh;                              // ascending
    std::vector<std::pair<Clock::time_point, RowNumber>> due;  // the longest due first
  };
  [[nodiscard]] Free Look(const ReserveRequest& request, Clock::time_point now) const;

  Outbox& outbox_;
  Shares shares_;
};

}  // namespace outbox::memory
