#pragma once

#include <string>

#include "monitoring/metrics.hpp"

namespace outbox::cli {

// Returns the version and commit of this program, such as "outbox-relay 0.1.0 (commit 1a2b3c4)".
[[nodiscard]] std::string VersionLine();
// Returns version and commit as separate values, for the HTTP endpoints.
[[nodiscard]] monitoring::Build ThisBuild();

}  // namespace outbox::cli
