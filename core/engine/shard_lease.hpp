// One shard's leases, one after the other: each is wound up by the engine before the next begins. No thread, no clock.
#pragma once

#include <cstdint>

#include "engine/engine.hpp"

namespace outbox::engine {

class ShardLease {
 public:
  explicit ShardLease(Engine& engine) : engine_(engine) {}

  // The lease under `token` lasts until `until`; a new token is a new lease. `slow_start` (see Engine::LeaseHeld) is said
  // once of it.
  void Held(std::uint64_t token, Time until, bool slow_start = false);
  void Lost();
  // Another relay is to have the shard. True: nothing of it is in hand, it can be given back as it is.
  [[nodiscard]] bool HandOver(std::uint64_t token, Time until);
  // For good.
  void Stop(Time deadline);

  enum class Ended : std::uint8_t { kLease, kHandOver, kForGood };
  // On the engine's kRetired.
  Ended Retired();
  // A lease was gained meanwhile: call Resume, not from inside the engine's own command.
  [[nodiscard]] bool Waits(Time now) const { return phase_ == Phase::kStandby && next_.until > now; }
  void Resume();

  [[nodiscard]] std::uint64_t token() const { return token_; }  // under which the engine works

 private:
  friend struct EngineProbe;  // of the simulator
  enum class Phase : std::uint8_t { kStandby, kHolding, kWindingUp, kHandingOver, kStopping, kStopped };

  struct Lease {
    std::uint64_t token = 0;
    Time until = 0;
    bool slow_start = false;
  };
  void Adopt(const Lease& lease);
  void WindUp(Phase phase, Time deadline);

  Engine& engine_;
  Phase phase_ = Phase::kStandby;
  std::uint64_t token_ = 0;
  Lease next_;  // gained while the last one is still being wound up
};

}  // namespace outbox::engine
