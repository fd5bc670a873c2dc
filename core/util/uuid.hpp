// Reads UUIDs in the forms in which people write them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace outbox::util {

// Returns the UUID in lower case with four hyphens, which is how the databases return it; nothing if `text` is not a
// UUID. Accepts every form that PostgreSQL accepts: upper case, braces around the UUID, and an optional hyphen after
// each group of four digits.
[[nodiscard]] std::optional<std::string> CanonicalUuid(std::string_view text);

}  // namespace outbox::util
