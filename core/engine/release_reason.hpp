// Why a shard is released.
#pragma once

#include <cstdint>

namespace outbox::engine {

enum class ReleaseReason : std::uint8_t {
  kLost,      // the lease has ended: drop everything, another relay may have the shard
  kHandOver,  // another relay is to have the shard: finish what is in flight, confirm it, and report
  kStop,      // the same for good, as the relay stops
};

}  // namespace outbox::engine
