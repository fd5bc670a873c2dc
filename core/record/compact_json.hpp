// JSON without the blanks between its parts. Nothing else changes: numbers, escapes, members that come twice and their order.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace outbox::record {

// Deeper nesting is taken for a mistake.
inline constexpr std::size_t kMaxJsonDepth = 1000;

// Appends to `to`. The answer is the place of the first byte at which `json` is no JSON (RFC 8259) or nests too deeply, its size
// where it ends too early; nothing if it is JSON. Then `to` is as it was.
[[nodiscard]] std::optional<std::size_t> AppendCompact(std::string_view json, std::string& to);

}  // namespace outbox::record
