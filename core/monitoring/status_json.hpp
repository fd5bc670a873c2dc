// The JSON that `outbox-relay status --json` prints and that answers GET /status.
#pragma once

#include <string>

#include "runtime/observation.hpp"

namespace outbox::monitoring {

// The state of an outbox.
struct OutboxState {
  const char* word;  // the value in the JSON, which programs read, so it is never renamed
  const char* text;  // the explanation for people
};

[[nodiscard]] OutboxState StateOf(const Statistics& stats, bool has_leases);
[[nodiscard]] std::string StatusJson(const Statistics& stats, bool has_leases);

// Returns the same JSON as StatusJson(), made from the last query of the tables, with null for unknown values, and adds
// the state of this relay under "relay".
[[nodiscard]] std::string LiveStatusJson(const runtime::Observation& seen, const runtime::BacklogObservation& looked,
                                         bool has_leases, engine::Time now, engine::Time wall);

}  // namespace outbox::monitoring
