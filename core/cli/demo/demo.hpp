// `outbox-relay demo`: the whole way in one process, with nothing to install: an application, its SQLite outbox, the
// relay as `run` runs it, a broker, and a consumer that counts.
#pragma once

#include <cstdint>

namespace outbox::cli {

struct DemoOptions {
  std::uint64_t events = 2000;  // to commit
  bool broker_only = false;     // the broker, until SIGINT or SIGTERM
};

// Returns the exit code: kFailure where an event was lost, made up or out of order.
[[nodiscard]] int Demo(const DemoOptions& options);

}  // namespace outbox::cli
