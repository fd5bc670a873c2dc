// Finds the abilities that the configuration requires and the storage plugin lacks. `run` refuses to start and reports
// the first one; `check` lists all.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"
#include "storage/store.hpp"

namespace outbox::runtime {

struct MissingAbility {
  std::string text;  // names the key of the configuration that requires the ability, and the plugin that lacks it
  std::string fix;
};

// Returns the missing abilities. Reads only the function tables of the plugin, and calls none of its functions. Thread:
// any.
[[nodiscard]] std::vector<MissingAbility> FindMissingAbilities(const config::Relay& config,
                                                               const storage::Store& store);

}  // namespace outbox::runtime
