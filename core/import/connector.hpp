// Translates a Debezium connector with its EventRouter to the configuration of a relay that makes the same records.
//
// Settings that would change a record are refused, and so are unknown settings: no setting is ever skipped. Passwords
// are not carried over.
#pragma once

#include <string>
#include <vector>

#include "import/settings.hpp"

namespace outbox::debezium {

// The result of a translation. Notes and refusals are texts for people, each with the name of a setting.
struct Translation {
  std::string configuration;  // JSON with comments; "" if there are refusals.
  std::vector<std::string> notes, refusals;
};

// Translates a connector. `worker` may be empty. The same input always gives the same text.
[[nodiscard]] Translation Translate(const Settings& connector, const Settings& worker);

}  // namespace outbox::debezium
