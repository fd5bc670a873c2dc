// Bytes against what text columns take.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace outbox::sql {

// Valid UTF-8 without NUL: what every text column of every database stores unchanged.
[[nodiscard]] bool IsText(std::string_view bytes);
// Always text: each byte that is not becomes '?'; cut at a character boundary.
[[nodiscard]] std::string ToText(std::string_view bytes, std::size_t longest);
// A row id as the boundary carries it; nothing = not one of ours.
[[nodiscard]] std::optional<long long> ParseId(std::string_view text);

}  // namespace outbox::sql
