#pragma once

#include <string>

#include "observe/metrics.hpp"

namespace outbox::cli {

// "outbox-relay 0.1.0 (commit 1a2b3c4)"
[[nodiscard]] std::string VersionLine();
[[nodiscard]] observe::Build ThisBuild();

}  // namespace outbox::cli
