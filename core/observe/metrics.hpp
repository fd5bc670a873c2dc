// /metrics: everything that was observed, for Prometheus. docs/guide/operations.md says what each means.
#pragma once

#include <string>

#include "engine/observation.hpp"

namespace outbox::observe {

struct Build {
  std::string version, commit;
};

[[nodiscard]] std::string MetricsText(const engine::Observation& seen, const engine::BacklogObservation& looked,
                                      const Build& build, engine::Time now, engine::Time wall);

}  // namespace outbox::observe
