// Checks whether a relay could listen at the addresses in its configuration, for `outbox-relay check`.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"
#include "util/status.hpp"

namespace outbox::cli {

struct ListenerFinding {
  Status status;        // OK, or the reason why a relay that starts now could not listen.
  std::string text;     // The line to print if the status is OK.
  bool in_use = false;  // True if a running relay listens at the address, probably the one with this configuration.
};

// Binds each address of the configuration and releases it again. If a TCP address cannot be bound, sends an HTTP
// request to find out whether a relay listens at that address.
[[nodiscard]] std::vector<ListenerFinding> CheckListeners(const config::Config& config);

}  // namespace outbox::cli
