// Compares the records that the relay makes with those that a connector has stored in its topics, for
// `outbox-relay import --verify`.
#pragma once

#include <string>

#include "cli/common/command.hpp"

namespace outbox::cli {

struct VerifyRequest {
  std::string config;
  // The prefix that distinguishes the relay's topics from the connector's in a rehearsal, in which both deliver. If it
  // is set, the records that the relay has delivered are compared as well as those of captured rows.
  std::string prefix;
  std::string since = "24h";      // With `prefix`: the duration for which the relay's topics are read, back from now.
  bool remove_delivered = false;  // True to remove captured rows whose records the connector has stored identically.
};

// Compares and prints the result. Returns kOk if something was compared and all of it is the same, kFailure if
// something differs or nothing was compared, and the code of Report() after an error.
int Verify(const VerifyRequest& request);

}  // namespace outbox::cli
