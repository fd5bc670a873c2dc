// What `outbox-relay status --json` prints and GET /status answers.
#pragma once

#include <string>

#include "runtime/observation.hpp"

namespace outbox::monitoring {

struct OutboxState {
  const char* word;  // of the JSON; never renamed
  const char* text;
};

[[nodiscard]] OutboxState StateOf(const Statistics& stats, bool has_leases);
[[nodiscard]] std::string StatusJson(const Statistics& stats, bool has_leases);

// The same from the last look, null where nothing is known, and under "relay" what this relay knows of itself.
[[nodiscard]] std::string LiveStatusJson(const runtime::Observation& seen, const runtime::BacklogObservation& looked,
                                         bool has_leases, engine::Time now, engine::Time wall);

}  // namespace outbox::monitoring
