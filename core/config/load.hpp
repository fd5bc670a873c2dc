// Loads a configuration file: returns a consistent Config, or a list of all mistakes in the file.
#pragma once

#include <filesystem>
#include <string_view>

#include "config/config.hpp"
#include "config/property_policy.hpp"
#include "util/status.hpp"

namespace outbox::config {

// Reads and checks `file`. `policy` judges the properties under /publisher/kafka. REQUIRES: `policy` lives as long as
// the Config.
//
// Errors: OUTBOX_BAD_CONFIG, with one line for each mistake, "file:line: /json/pointer: what is wrong; what was
// expected"; kShortage if a file could not be read because a resource has run out.
[[nodiscard]] Result<Config> Load(const std::filesystem::path& file, const PropertyPolicy& policy);

// Does the same as Load() with `text` as the content of the file. `origin` is the file's name in messages; references
// to files are relative to its folder.
[[nodiscard]] Result<Config> Parse(std::string_view text, const std::filesystem::path& origin,
                                   const PropertyPolicy& policy);

}  // namespace outbox::config
