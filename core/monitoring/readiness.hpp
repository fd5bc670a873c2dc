// Is the relay well, and can events move now? From what was observed, with the reasons for the answer.
#pragma once

#include <string>
#include <vector>

#include "runtime/observation.hpp"

namespace outbox::monitoring {

struct Reason {
  const char* state;  // a word for machines; never renamed: one of kStates
  std::string text;
};

// By rank: the first that applies is the state of the relay.
inline constexpr const char* kStates[] = {"stopping",       "stuck",   "database_down", "broker_down", "starting",
                                          "capture_broken", "standby", "undeletable",   "stalled",     "active"};

// Without an answer for so long, an event counts as one that does not move. Also of a call that may take longer.
inline constexpr engine::Time kPatience = 5 * engine::kSecond;

// Calls that should have returned long ago. Empty = healthy.
[[nodiscard]] std::vector<Reason> WhyNotHealthy(const runtime::Observation& seen);
// Empty = ready.
[[nodiscard]] std::vector<Reason> WhyNotReady(const runtime::Observation& seen, engine::Time now);

// One reason a line, passwords hidden, for a body; `good` where there is none.
[[nodiscard]] std::string Lines(const std::vector<Reason>& reasons, const std::string& good);

}  // namespace outbox::monitoring
