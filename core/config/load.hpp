// From a file to a Config that holds together, or to everything that is wrong with it.
#pragma once

#include <filesystem>
#include <string_view>

#include "config/config.hpp"
#include "config/property_policy.hpp"
#include "util/status.hpp"

namespace outbox::config {

// `policy` judges /publisher/kafka and lives as long as the Config.
//
// OUTBOX_BAD_CONFIG: one line for each mistake, "file:line: /json/pointer: what is wrong; what was expected".
[[nodiscard]] Result<Config> Load(const std::filesystem::path& file, const PropertyPolicy& policy);

// `origin` is the file's name in messages; references to files are relative to its folder.
[[nodiscard]] Result<Config> Parse(std::string_view text, const std::filesystem::path& origin,
                                   const PropertyPolicy& policy);

}  // namespace outbox::config
