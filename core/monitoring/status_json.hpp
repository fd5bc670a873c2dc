// The JSON that `outbox-relay status --json` prints and that GET /status answers with.
#pragma once

#include <string>

#include "runtime/observation.hpp"

namespace outbox::monitoring {

// The state of an outbox.
struct OutboxState {
  const char* word;  // the value in the JSON; programs read it, so it is never renamed
  const char* text;  // for people
};

[[nodiscard]] OutboxState StateOf(const Statistics& stats, bool has_leases);
[[nodiscard]] std::string StatusJson(const Statistics& stats, bool has_leases);

// Returns the same JSON from the last query of the tables, with null for what is not known, and under "relay" the state
// of this relay.
[[nodiscard]] std::string LiveStatusJson(const runtime::Observation& seen, const runtime::BacklogObservation& looked,
                                         bool has_leases, engine::Time now, engine::Time wall);

}  // namespace outbox::monitoring
