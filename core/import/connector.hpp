// From a connector of Debezium's, with its EventRouter, to the configuration of a relay that makes the same records.
//
// What would change a record is refused, and so is what is not known: a setting is never skipped. Passwords are not carried over.
#pragma once

#include <string>
#include <vector>

#include "import/settings.hpp"

namespace outbox::debezium {

struct Translation {
  std::string configuration;  // JSON with comments; "" where something is refused
  std::vector<std::string> notes, refusals;
};

// `worker` may be empty. The same input gives the same text.
[[nodiscard]] Translation Translate(const Settings& connector, const Settings& worker);

}  // namespace outbox::debezium
