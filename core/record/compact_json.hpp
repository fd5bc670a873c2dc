// Removes the whitespace between the parts of a JSON text. Everything else stays: numbers, escapes, duplicate members
// and the order of members.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace outbox::record {

// The greatest depth of nesting; a text that nests deeper is treated as not being JSON.
inline constexpr std::size_t kMaxJsonDepth = 1000;

// Appends `json` without whitespace to `to`. Returns nothing on success. If `json` is not JSON (RFC 8259) or nests too
// deeply, returns the position of the first wrong byte, or the size of `json` if it ends too early; `to` is then
// unchanged.
[[nodiscard]] std::optional<std::size_t> AppendCompact(std::string_view json, std::string& to);

}  // namespace outbox::record
