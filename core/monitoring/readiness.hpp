// Decides from what was observed whether the relay is healthy and whether events can move now, and gives the reasons.
#pragma once

#include <string>
#include <vector>

#include "runtime/observation.hpp"

namespace outbox::monitoring {

struct Reason {
  const char* state;  // one of kStates; programs read it, so it is never renamed
  std::string text;
};

// The states by rank: the first one that applies is the state of the relay.
inline constexpr const char* kStates[] = {"stopping",       "stuck",   "database_down", "broker_down", "starting",
                                          "capture_broken", "standby", "undeletable",   "stalled",     "active"};

// A relay is stalled if an event has had no answer for this long, or if a vital call has taken this long, even if its
// timeout is longer.
inline constexpr engine::Time kPatience = 5 * engine::kSecond;

// Returns the vital calls (WatchdogHandle::Duty) that have not returned long after their timeout. Empty = the relay is
// healthy.
[[nodiscard]] std::vector<Reason> WhyNotHealthy(const runtime::Observation& seen);
// Returns why events cannot move now. Empty = the relay is ready.
[[nodiscard]] std::vector<Reason> WhyNotReady(const runtime::Observation& seen, engine::Time now);

// Returns the body of an HTTP answer: one reason per line, with passwords hidden; `good` if there is no reason.
[[nodiscard]] std::string Lines(const std::vector<Reason>& reasons, const std::string& good);

}  // namespace outbox::monitoring
