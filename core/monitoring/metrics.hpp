// Formats the observed values as the text of /metrics, for Prometheus. docs/guide/operations.md explains each metric.
#pragma once

#include <string>

#include "runtime/observation.hpp"

namespace outbox::monitoring {

struct Build {
  std::string version, commit;
};

[[nodiscard]] std::string MetricsText(const runtime::Observation& seen, const runtime::BacklogObservation& looked,
                                      const Build& build, engine::Time now, engine::Time wall);

}  // namespace outbox::monitoring
