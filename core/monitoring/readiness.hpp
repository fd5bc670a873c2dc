// Decides from the observed values whether the relay is healthy and whether events can move now, and gives the reasons
// if not.
#pragma once

#include <string>
#include <vector>

#include "runtime/observation.hpp"

namespace outbox::monitoring {

struct Reason {
  const char* state;  // one of kStates; programs read the state, so it is never renamed
  std::string text;
};

// The states by rank: the first state that applies is the state of the relay.
inline constexpr const char* kStates[] = {"stopping",       "stuck",   "database_down", "broker_down", "starting",
                                          "capture_broken", "standby", "undeletable",   "stalled",     "active"};

// The relay is stalled if the broker has owed an answer for this long, or if a vital call has been under way for this
// long, even if the timeout of the call is longer.
inline constexpr engine::Time kPatience = 5 * engine::kSecond;

// Returns a reason for each vital call (WatchdogHandle::Duty) that has not returned long after its timeout. The result
// is empty if the relay is healthy.
[[nodiscard]] std::vector<Reason> WhyNotHealthy(const runtime::Observation& seen);
// Returns the reasons why events cannot move now. The result is empty if the relay is ready.
[[nodiscard]] std::vector<Reason> WhyNotReady(const runtime::Observation& seen, engine::Time now);

// Returns the body of an HTTP answer: one reason per line, with passwords hidden, or `good` if there is no reason.
[[nodiscard]] std::string Lines(const std::vector<Reason>& reasons, const std::string& good);

}  // namespace outbox::monitoring
