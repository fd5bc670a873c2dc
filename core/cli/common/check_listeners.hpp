// Whether the relay could listen where its configuration says, for `outbox-relay check`.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"
#include "util/status.hpp"

namespace outbox::cli {

struct ListenerFinding {
  Status status;        // OK, or why a relay that starts now could not listen
  std::string text;     // for OK
  bool in_use = false;  // by a relay that runs, probably the one of this configuration
};

// Binds each address of the configuration and lets it go again.
[[nodiscard]] std::vector<ListenerFinding> CheckListeners(const config::Config& config);

}  // namespace outbox::cli
