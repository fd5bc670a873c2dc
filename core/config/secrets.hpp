// Replaces references to secrets in the configuration, and hides secrets in values that are shown.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "config/document.hpp"
#include "config/secret_values.hpp"

namespace outbox::config {

// Returns `raw`, the part of the document at `pointer`, with every ${env:NAME} and ${file:PATH} in a string replaced by
// a mark of `secrets`. A relative PATH starts at `folder`. "$${" becomes "${".
[[nodiscard]] nlohmann::json MarkIn(const nlohmann::json& raw, const std::string& pointer,
                                    const std::filesystem::path& folder, Secrets& secrets, Problems& problems);

// Returns the document with the marks replaced by the values.
[[nodiscard]] nlohmann::json FillIn(const nlohmann::json& marked, const Secrets& secrets,
                                    const Secrets::Values& values);

// Returns true if the name of this key suggests that its value is a secret.
[[nodiscard]] bool NamesSecret(std::string_view key);

// Returns true if `text` is one reference and nothing else. A reference may be shown, because it contains the location
// of the secret and not its value.
[[nodiscard]] bool IsReference(std::string_view text);

// Returns `text` with the passwords in "password=... host=..." and "scheme://user:password@host" hidden. `text` may
// come from another program, for example as the message of a database client.
[[nodiscard]] std::string Redact(std::string_view text);

// Returns the value of this key with its secrets hidden, so that it may be shown. References are left as they are
// written.
[[nodiscard]] nlohmann::json RedactValue(std::string_view key, const nlohmann::json& raw);

}  // namespace outbox::config
