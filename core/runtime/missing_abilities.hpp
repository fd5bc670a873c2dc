// Finds the abilities that the configuration requires and the storage plugin lacks. `run` refuses to start and reports
// the first of them, `check` lists all.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"
#include "storage/store.hpp"

namespace outbox::runtime {

struct MissingAbility {
  std::string text;  // which key of the configuration requires it, and which plugin lacks it
  std::string fix;
};

// Reads only the tables of the plugin, and calls none of its functions. Thread: any.
[[nodiscard]] std::vector<MissingAbility> FindMissingAbilities(const config::Relay& config,
                                                               const storage::Store& store);

}  // namespace outbox::runtime
