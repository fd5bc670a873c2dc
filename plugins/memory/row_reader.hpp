// Implements ReserveNewEvents for an outbox whose rows are marked (Reserve::kRows). Marks are the scheme for a database
// in which a lease of a shard is expensive. Several relays read the same rows, and every read begins at the oldest row.
// A relay marks the rows that it reserves; a marked row belongs to that relay until the mark ends or is removed. Two
// rules keep the order of a key across relays:
//
// INVARIANT: a row is not returned while an earlier row of its key is marked by another relay, or has failed and still
// has to be delivered.
// INVARIANT: a row that is marked by this relay but not outstanding, for example because an answer was lost, is
// returned to this relay again, before later rows of its key.
#pragma once

#include <utility>
#include <vector>

#include "outbox.hpp"
#include "outbox/shares.hpp"

namespace outbox::memory {

// Reserves rows for one session, which owns the reader. REQUIRES: the caller holds the mutex of the outbox.
class RowReader {
 public:
  explicit RowReader(Outbox& outbox) : outbox_(outbox) {}
  // Adds rows to the batch, and marks each of them for the relay of the request under a new token.
  void Read(const ReserveRequest& request, BatchBuilder& batch);

 private:
  // The rows that the relay may reserve.
  struct Free {
    // Rows that have never failed, in ascending order of their ids.
    std::vector<RowNumber> fresh;
    // Retries that are due, ordered by the time since which they have been due.
    std::vector<std::pair<Clock::time_point, RowNumber>> due;
  };
  [[nodiscard]] Free Look(const ReserveRequest& request, Clock::time_point now) const;

  Outbox& outbox_;
  // Divides a batch between retries and new rows.
  Shares shares_;
};

}  // namespace outbox::memory
