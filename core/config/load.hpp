// From a file to a Config that holds together, or to everything that is wrong with it.
#pragma once

#include <filesystem>
#include <string_view>

#include "config/config.hpp"
#include "util/status.hpp"

namespace outbox::config {

// OUTBOX_BAD_CONFIG: one line for each mistake, "file:line: /json/pointer: what is wrong; what was expected".
[[nodiscard]] Result<Config> Load(const std::filesystem::path& file);

// `origin` is the file's name in messages; references to files are relative to its folder.
[[nodiscard]] Result<Config> Parse(std::string_view text, const std::filesystem::path& origin);

}  // namespace outbox::config
