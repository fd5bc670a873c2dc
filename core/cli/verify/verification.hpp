// Compares the records that the relay makes with those that a connector has stored in its topics: `outbox-relay import --verify`.
#pragma once

#include <string>

#include "cli/common/command.hpp"

namespace outbox::cli {

struct VerifyRequest {
  std::string config;
  // The relay's topics begin with it, and the connector's do not: a rehearsal. What the relay has delivered to its topics is compared
  // too then.
  std::string prefix;
  std::string since = "24h";      // with `prefix`: how far back the relay's topics are read
  bool remove_delivered = false;  // captured rows whose records are stored, the same, leave the outbox
};

// Prints what was found. kOk: something was compared, and all of it is the same. kFailure: something differs, or nothing was
// compared.
int Verify(const VerifyRequest& request);

}  // namespace outbox::cli
