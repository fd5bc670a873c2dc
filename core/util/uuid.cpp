#include "util/uuid.hpp"

namespace outbox::util {
namespace {

constexpr std::size_t kDigits = 32;

// Returns a hexadecimal digit in lower case, or NUL for any other character.
char Hexadecimal(char c) {
  if (c >= 'A' && c <= 'F') return static_cast<char>(c - 'A' + 'a');
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ? c : '\0';
}

}  // namespace

std::optional<std::string> CanonicalUuid(std::string_view text) {
  if (text.starts_with('{') && text.ends_with('}')) text = text.substr(1, text.size() - 2);
  std::string canonical;
  std::size_t digits = 0;
  bool hyphen = true;  // True after a hyphen and at the beginning, where no hyphen may follow.
  for (const char c : text) {
    if (c == '-') {
      if (hyphen || digits % 4 != 0 || digits == kDigits) return std::nullopt;
      hyphen = true;
      continue;
    }
    const char digit = Hexadecimal(c);
    if (digit == '\0' || digits == kDigits) return std::nullopt;
    if (digits == 8 || digits == 12 || digits == 16 || digits == 20) canonical += '-';
    canonical += digit;
    ++digits;
    hyphen = false;
  }
  if (digits != kDigits) return std::nullopt;
  return canonical;
}

}  // namespace outbox::util
