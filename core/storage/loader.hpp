// Finds, inspects and loads storage plugins. No other part of the core uses Boost.DLL.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "outbox/plugin.h"
#include "util/status.hpp"

namespace outbox::storage {

// The places where plugins are searched for, and the users who may replace plugin files.
struct SearchPath {
  std::string plugin_path;                     // storage.plugin_path of the configuration: a file; "" = search by name
  std::vector<std::filesystem::path> folders;  // the folders of OUTBOX_PLUGIN_PATH, then the installed folder
  // Names or numbers of the users who are allowed to replace a plugin's file, besides root and the relay's own user.
  std::vector<std::string> trusted_owners = {};
};

// Returns the search path that the environment and the build define: the folders of OUTBOX_PLUGIN_PATH (absolute paths,
// separated by colons), then the installed folder. OUTBOX_TRUSTED_OWNERS (separated by colons) adds trusted owners.
[[nodiscard]] SearchPath DefaultSearchPath(std::string plugin_path = {}, std::vector<std::string> trusted_owners = {});

// Loads a plugin and returns its table. A plugin is never unloaded. The first file that exists is used: if it is
// refused, later places are not tried.
//
// Errors: OUTBOX_BAD_CONFIG if there is no such file or the file breaks a rule, kShortage if the machine lacked a
// resource to load the file. The text names the rule and every place that was searched.
[[nodiscard]] Result<const outbox_plugin*> Load(std::string_view name, const SearchPath& where);

// A file in the search path that is named like a plugin.
struct Found {
  std::string name;  // the name of the plugin according to the file name
  std::filesystem::path file;
  std::string version;
  std::uint64_t capabilities = 0;
  std::vector<std::string> extensions;
  std::optional<std::string> refused;  // why the file could not be loaded; absent if it was loaded
  bool shadowed = false;  // true if an earlier folder has a file of the same name, which is used instead of this one
};
// Returns all plugins in the search path. Loads each of them, so code of the plugins runs.
[[nodiscard]] std::vector<Found> List(const SearchPath& where);

}  // namespace outbox::storage
