// Computes how due retries and new rows share a batch.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>

#include "outbox/batch.hpp"

namespace outbox {

// Decides for each read how many retries it may return. An adapter has one object per shard and session.
//
// While there are new rows, retries get a tenth of each batch, as they get a tenth of the relay's window and of the
// broker's time. So even very many events that fail repeatedly slow new rows down by no more than a tenth. If a batch
// has room for only one event, new rows and retries take turns.
//
// Thread: the thread of the session.
class Shares {
 public:
  using Clock = std::chrono::steady_clock;
  // Longest duration of a pass over the due retries. Each read begins behind the retries that the previous read has
  // examined, so that outstanding retries are not examined in every read. Without this limit, a retry that the pass has
  // skipped waits for all retries that become due meanwhile; if those keep failing, it waits forever.
  static constexpr std::chrono::seconds kMaxPass{1};

  // Returns how many events of the batch may be retries if there are new rows too. The result is 0 if the request skips
  // retries. REQUIRES: it is called once per read, because with batches of one event, each call alternates between
  // retries and new rows.
  [[nodiscard]] std::size_t ForRetries(const ReserveRequest& request) {
    if (request.skips_retries()) return 0;
    const std::size_t limit = request.limit();
    if (limit == 1) return static_cast<std::size_t>(std::exchange(retry_is_next_, !retry_is_next_));
    return std::max<std::size_t>(1, limit / 10);
  }

  // Returns true if this read must begin a new pass, with the retry that has been due longest. REQUIRES: it is called
  // once per read.
  [[nodiscard]] bool NewPass(Clock::time_point now = Clock::now()) {
    if (now < pass_ends_) return false;
    pass_ends_ = now + kMaxPass;
    return true;
  }

 private:
  bool retry_is_next_ = false;
  Clock::time_point pass_ends_{};
};

}  // namespace outbox
