// What the configuration asks of the storage plugin and the plugin cannot do. `run` refuses to start with the first one,
// `check` lists all.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"
#include "storage/store.hpp"

namespace outbox::runtime {

struct MissingAbility {
  std::string text;  // which key asks for it, and which plugin lacks it
  std::string fix;
};

// Thread: any. Calls nothing but the plugin's tables.
[[nodiscard]] std::vector<MissingAbility> FindMissingAbilities(const config::Relay& config,
                                                               const storage::Store& store);

}  // namespace outbox::runtime
