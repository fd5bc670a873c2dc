// References to secrets, and what may be shown of values that hold one.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "config/document.hpp"
#include "config/secret_values.hpp"

namespace outbox::config {

// A part of the document, at `pointer`, with a mark of `secrets` for each ${env:NAME} and ${file:PATH}, in every string.
// A relative PATH is looked up in `folder`. "$${" stands for "${".
[[nodiscard]] nlohmann::json MarkIn(const nlohmann::json& raw, const std::string& pointer,
                                    const std::filesystem::path& folder, Secrets& secrets, Problems& problems);

// The same with the values in place of the marks.
[[nodiscard]] nlohmann::json FillIn(const nlohmann::json& marked, const Secrets& secrets,
                                    const Secrets::Values& values);

// Does this key name something that nobody should read in a log?
[[nodiscard]] bool NamesSecret(std::string_view key);

// Is it one reference and nothing else? Then it tells where the secret is, not what it is.
[[nodiscard]] bool IsReference(std::string_view text);

// Passwords in "password=... host=..." and "scheme://user:password@host" hidden; also for texts of others, such as a
// database client's message.
[[nodiscard]] std::string Redact(std::string_view text);

// What may be shown of a value with this key, references left as they are written.
[[nodiscard]] nlohmann::json RedactValue(std::string_view key, const nlohmann::json& raw);

}  // namespace outbox::config
