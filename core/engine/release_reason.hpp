// Why a shard is released.
#pragma once

#include <cstdint>

namespace outbox::engine {

enum class ReleaseReason : std::uint8_t {
  kLost,      // the lease ended, or another relay owns the shard: nothing may be sent or recorded any more
  kHandOver,  // another relay is to own the shard: drain it, then release it
  kStop,      // the relay stops: drain the shard until a deadline, and never hold it again
};

}  // namespace outbox::engine
