// Finds, inspects and loads storage plugins. The only user of Boost.DLL.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "outbox/plugin.h"
#include "util/status.hpp"

namespace outbox::storage {

struct SearchPath {
  std::string plugin_path;                     // storage.plugin_path of the config: a file; "" = search by name
  std::vector<std::filesystem::path> folders;  // OUTBOX_PLUGIN_PATH, then the installed folder
  // Users besides root and the relay's own who may be able to replace a plugin's file: names or numbers.
  std::vector<std::string> trusted_owners = {};
};

// From the environment and the build: OUTBOX_PLUGIN_PATH (colon separated, absolute folders) and the installed folder;
// OUTBOX_TRUSTED_OWNERS (colon separated) adds to the trusted owners.
[[nodiscard]] SearchPath DefaultSearchPath(std::string plugin_path = {}, std::vector<std::string> trusted_owners = {});

// Never unloads. The first existing file decides; the error names the rule that is broken and every place searched
// (OUTBOX_BAD_CONFIG, or kShortage if the machine lacked something to load it).
[[nodiscard]] Result<const outbox_plugin*> Load(std::string_view name, const SearchPath& where);

struct Found {
  std::string name;  // from the file name
  std::filesystem::path file;
  std::string version;
  std::uint64_t capabilities = 0;
  std::vector<std::string> extensions;
  std::optional<std::string> refused;  // why it could not be loaded
  bool shadowed = false;               // an earlier folder has a file of that name
};
[[nodiscard]] std::vector<Found> List(const SearchPath& where);

}  // namespace outbox::storage
