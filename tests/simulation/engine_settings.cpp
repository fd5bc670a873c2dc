#include "tests/simulation/engine_settings.hpp"

#include "tests/simulation/process.hpp"

namespace outbox::simulation {

engine::Settings MakeSettings(const Scenario& s, std::uint64_t seed, bool bytes_limit) {
  engine::Settings settings;
  settings.batch_events = s.batch;
  settings.window_events = s.window;
  settings.max_awaiting_record = static_cast<std::uint32_t>(seed % 4) * s.window;
  settings.window_bytes = kBytesOfRow * (bytes_limit && seed % 2 == 1 ? s.window + s.batch : 2 * s.window);
  settings.policies[0].max_attempts = 4;
  settings.policies[0].on_exhausted = s.on_exhausted;
  settings.policies[0].retry_backoff = 300 * kMillisecond;
  settings.policies[0].max_retry_backoff = 2 * kSecond;
  settings.poll_interval = kPoll;
  settings.delivery_timeout = kDeliveryTimeout;
  settings.lease_margin = kLease / 5;
  settings.rescan_interval = kForever;  // The periodic rescan is off, because it would hide errors.
  settings.max_waiting_keys = 1 + static_cast<std::uint32_t>(seed % 8);
  settings.lane_idle = s.mutant == Mutant::kNoFirstFlight ? 3 * kForever : kLaneIdle;
  settings.removal_interval = kSecond;
  settings.min_backoff = s.backoff_us;
  settings.max_backoff = kSecond;
  settings.seed = seed;
#ifdef OUTBOX_MUTANTS
  using Wrong = engine::Mutant;
  settings.mutant = s.mutant == Mutant::kConfirmBeforeAck         ? Wrong::kConfirmBeforeAck
                    : s.mutant == Mutant::kOptimisticDeadLetter   ? Wrong::kOptimisticDeadLetter
                    : s.mutant == Mutant::kRestartInReportOrder   ? Wrong::kRestartInReportOrder
                    : s.mutant == Mutant::kRewindOnSettle         ? Wrong::kRewindOnSettle
                    : s.mutant == Mutant::kKeyGoesOnEarly         ? Wrong::kKeyGoesOnEarly
                    : s.mutant == Mutant::kRefusalIsOutage        ? Wrong::kRefusalIsOutage
                    : s.mutant == Mutant::kEarlyTrial             ? Wrong::kEarlyTrial
                    : s.mutant == Mutant::kOvertakenTrial         ? Wrong::kOvertakenTrial
                    : s.mutant == Mutant::kConfirmRefusalIsOutage ? Wrong::kConfirmRefusalIsOutage
                    : s.mutant == Mutant::kTopicHoldsNoKey        ? Wrong::kTopicHoldsNoKey
                    : s.mutant == Mutant::kTopicIsNotFound        ? Wrong::kTopicIsNotFound
                    : s.mutant == Mutant::kTopicIsCharged         ? Wrong::kTopicIsCharged
                                                                  : Wrong::kNone;
#endif
  return settings;
}

}  // namespace outbox::simulation
