#include "sql/text.hpp"

#include <charconv>

namespace outbox::sql {
namespace {

bool Continues(unsigned char c) { return (c & 0xC0U) == 0x80U; }

// Length of the character at the start, 0 = none. Overlong forms, surrogates and what lies above U+10FFFF are none.
std::size_t Character(std::string_view s) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char c = at(0);
  if (c == 0) return 0;
  if (c < 0x80) return 1;
  const std::size_t size = c >= 0xC2 && c <= 0xDF ? 2 : c >= 0xE0 && c <= 0xEF ? 3 : c >= 0xF0 && c <= 0xF4 ? 4 : 0;
  if (size == 0 || s.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i)
    if (!Continues(at(i))) return 0;
  if ((c == 0xE0 && at(1) < 0xA0) || (c == 0xED && at(1) > 0x9F) || (c == 0xF0 && at(1) < 0x90) ||
      (c == 0xF4 && at(1) > 0x8F))
    return 0;
  return size;
}

}  // namespace

bool IsText(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t size = Character(bytes);
    if (size == 0) return false;
    bytes.remove_prefix(size);
  }
  return true;
}

std::string ToText(std::string_view bytes, std::size_t longest) {
  std::string text;
  while (!bytes.empty()) {
    const std::size_t size = Character(bytes);
    if (text.size() + (size == 0 ? 1 : size) > longest) break;
    if (size == 0)
      text += '?';
    else
      text += bytes.substr(0, size);
    bytes.remove_prefix(size == 0 ? 1 : size);
  }
  return text;
}

std::optional<long long> ParseId(std::string_view text) {
  long long id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return id;
}

}  // namespace outbox::sql
