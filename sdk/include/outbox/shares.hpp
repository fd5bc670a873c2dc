// How due retries and new rows share a batch.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>

#include "outbox/batch.hpp"

namespace outbox {

// One per shard and session. Retries have a tenth, as they have of the relay's window and of the broker's time: a great
// many that fail again and again slow new rows down by no more than that. A batch of one event is for either in turn.
class Shares {
 public:
  using Clock = std::chrono::steady_clock;
  // Each read looks at the due ones behind those that the read before has looked at, so that what the relay holds is not
  // looked at again and again. A pass takes no longer than this: those that were passed over would else wait for all that
  // fall due meanwhile, without end where these fail again.
  static constexpr std::chrono::seconds kMaxPass{1};

  // How many events of the batch may be retries while there are new rows.
  [[nodiscard]] std::size_t ForRetries(const ReserveRequest& request) {
    if (request.skips_retries()) return 0;
    const std::size_t limit = request.limit();
    if (limit == 1) return static_cast<std::size_t>(std::exchange(retry_is_next_, !retry_is_next_));
    return std::max<std::size_t>(1, limit / 10);
  }

  // Once for each read: begin again with the longest due?
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
