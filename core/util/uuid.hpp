// UUIDs as people write them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace outbox::util {

// The UUID in lower case with four hyphens, which is how the databases return it. Takes every form that PostgreSQL
// takes: upper case, braces around it, and a hyphen, or none, after each group of four digits. Nothing if `text` is not
// a UUID.
[[nodiscard]] std::optional<std::string> CanonicalUuid(std::string_view text);

}  // namespace outbox::util
