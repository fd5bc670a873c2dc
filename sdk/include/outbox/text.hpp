// UTF-8 in the strict form of RFC 3629: overlong forms, surrogates and code points above U+10FFFF are not well-formed.
//
// The relay, its plugins and the emit helpers all validate text with these functions, so that none of them refuses what
// another accepts. Here "text" is UTF-8 without NUL, because no text column of PostgreSQL stores a NUL; "UTF-8" may
// contain one.
//
// Thread: any.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace outbox {

// Returns the size in bytes of the character at the start of `utf8`; 0 if no well-formed character begins there. NUL is
// a character of one byte.
[[nodiscard]] inline std::size_t CharacterSize(std::string_view utf8) {
  const auto byte = [utf8](std::size_t i) { return i < utf8.size() ? static_cast<unsigned char>(utf8[i]) : 0U; };
  const auto follows = [&byte](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return byte(i) >= low && byte(i) <= high;
  };
  if (utf8.empty()) return 0;
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF)
    return follows(1, first == 0xE0 ? 0xA0 : 0x80, first == 0xED ? 0x9F : 0xBF) && follows(2) ? 3 : 0;
  if (first >= 0xF0 && first <= 0xF4)
    return follows(1, first == 0xF0 ? 0x90 : 0x80, first == 0xF4 ? 0x8F : 0xBF) && follows(2) && follows(3) ? 4 : 0;
  return 0;
}

// Returns the code point of a character. REQUIRES: `character` is exactly one well-formed character.
[[nodiscard]] inline char32_t CodePoint(std::string_view character) {
  const auto bits = [&](std::size_t i, unsigned mask) { return static_cast<unsigned char>(character[i]) & mask; };
  switch (character.size()) {
    case 1:
      return bits(0, 0x7F);
    case 2:
      return bits(0, 0x1F) << 6 | bits(1, 0x3F);
    case 3:
      return bits(0, 0x0F) << 12 | bits(1, 0x3F) << 6 | bits(2, 0x3F);
    default:
      return bits(0, 0x07) << 18 | bits(1, 0x3F) << 12 | bits(2, 0x3F) << 6 | bits(3, 0x3F);
  }
}

// Returns the number of characters; nothing if `bytes` is not UTF-8.
[[nodiscard]] inline std::optional<std::size_t> CountCharacters(std::string_view bytes) {
  std::size_t count = 0;
  while (!bytes.empty()) {
    const std::size_t size = CharacterSize(bytes);
    if (size == 0) return std::nullopt;
    bytes.remove_prefix(size);
    ++count;
  }
  return count;
}

// Returns true if `bytes` is UTF-8, or if it is empty.
[[nodiscard]] inline bool IsUtf8(std::string_view bytes) { return CountCharacters(bytes).has_value(); }

// Returns true if `bytes` is UTF-8 without NUL: every text column of every supported database stores it unchanged.
[[nodiscard]] inline bool IsText(std::string_view bytes) {
  return bytes.find('\0') == std::string_view::npos && IsUtf8(bytes);
}

// Converts `bytes` to text of at most `max_bytes` bytes. Each byte that is NUL or belongs to no well-formed character
// becomes '?'. A text that is too long is truncated between two characters.
[[nodiscard]] inline std::string ToText(std::string_view bytes, std::size_t max_bytes = std::string_view::npos) {
  std::string text;
  text.reserve(std::min(bytes.size(), max_bytes));
  while (!bytes.empty()) {
    const std::size_t size = bytes.front() == '\0' ? 0 : CharacterSize(bytes);
    const std::string_view next = size == 0 ? "?" : bytes.substr(0, size);
    if (next.size() > max_bytes - text.size()) break;
    text += next;
    bytes.remove_prefix(size == 0 ? 1 : size);
  }
  return text;
}

}  // namespace outbox
