#pragma once

#include <string>

namespace outbox::cli {

// "outbox-relay 0.1.0 (commit 1a2b3c4)"
[[nodiscard]] std::string VersionLine();

}  // namespace outbox::cli
