// Compares the records that the relay makes with those that a connector has stored in its topics, for
// `outbox-relay import --verify`.
#pragma once

#include <string>

#include "cli/common/command.hpp"

namespace outbox::cli {

struct VerifyRequest {
  std::string config;
  // The prefix that distinguishes the relay's topics from the connector's topics in a rehearsal, in which the relay and
  // the connector both deliver. If the prefix is not empty, the records that the relay has delivered are compared too,
  // not only the records of captured rows.
  std::string prefix;
  std::string since = "24h";      // With `prefix`: the duration for which the relay's topics are read, back from now.
  bool remove_delivered = false;  // True to remove captured rows whose records the connector has stored identically.
};

// Compares records and prints the result. Returns kOk if at least one record was compared and all compared records are
// the same, kFailure if a record differs or no record was compared, and the code of Report() after an error.
int Verify(const VerifyRequest& request);

}  // namespace outbox::cli
