#pragma once

#include <string>

#include "monitoring/metrics.hpp"

namespace outbox::cli {

// "outbox-relay 0.1.0 (commit 1a2b3c4)"
[[nodiscard]] std::string VersionLine();
[[nodiscard]] monitoring::Build ThisBuild();

}  // namespace outbox::cli
