// The rule for the names of storage plugins. It applies to the configuration, to the loader and to a plugin's function
// table.
#pragma once

#include <algorithm>
#include <string_view>

namespace outbox::util {

// Returns true if `name` has 1 to 128 characters of a-z, 0-9, _ and -, which are harmless in a file name.
[[nodiscard]] inline bool IsPluginName(std::string_view name) {
  return !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

}  // namespace outbox::util
