#include "util/escape.hpp"

#include <algorithm>
#include <array>

#include "outbox/text.hpp"

namespace outbox::util {
namespace {

constexpr char kDigits[] = "0123456789abcdef";

struct Range {
  char32_t first, last;
};
constexpr std::array kHidden{
    Range{0x0000, 0x001F},   Range{0x007F, 0x009F},   Range{0x00AD, 0x00AD},  // soft hyphen
    Range{0x034F, 0x034F},                                                    // combining grapheme joiner
    Range{0x061C, 0x061C},                                                    // Arabic letter mark
    Range{0x115F, 0x1160},   Range{0x17B4, 0x17B5},                           // fillers
    Range{0x180B, 0x180F},                                                    // Mongolian selectors and vowel separator
    Range{0x200B, 0x200F},                                                    // zero width; directional marks
    Range{0x2028, 0x202E},                             // separators; directional embeddings and overrides
    Range{0x2060, 0x206F},                             // invisible operators; directional isolates
    Range{0x3164, 0x3164},   Range{0xFEFF, 0xFEFF},    // filler; byte order mark
    Range{0xFFA0, 0xFFA0},   Range{0xFFF9, 0xFFFB},    // filler; annotations
    Range{0x1BCA0, 0x1BCA3}, Range{0x1D173, 0x1D17A},  // shorthand and musical controls
    Range{0xE0000, 0xE0FFF},                           // tags and variation selectors
};

void AppendByte(unsigned char byte, std::string& to) {
  to += "\\x";
  to += kDigits[byte >> 4];
  to += kDigits[byte & 15];
}

}  // namespace

bool IsHidden(char32_t character) {
  return std::any_of(kHidden.begin(), kHidden.end(),
                     [&](const Range& range) { return character >= range.first && character <= range.last; });
}

void AppendUnicodeEscape(char32_t character, std::string& to) {
  if (character > 0xFFFF) {
    AppendUnicodeEscape(0xD800 + ((character - 0x10000) >> 10), to);
    character = 0xDC00 + ((character - 0x10000) & 0x3FF);
  }
  to += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) to += kDigits[character >> shift & 15];
}

void AppendEscaped(std::string_view text, Layout layout, std::string& to) {
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text[0]);
    const std::size_t size = CharacterSize(text);
    if (first == '\n' || first == '\t') {
      if (layout == Layout::kKeep)
        to += text[0];
      else
        to += first == '\n' ? "\\n" : "\\t";
    } else if (size == 0 || first < 0x20 || (first == 0x7F && layout == Layout::kEscape)) {
      AppendByte(first, to);
    } else if (const char32_t character = CodePoint(text.substr(0, size)); IsHidden(character)) {
      AppendUnicodeEscape(character, to);
    } else {
      to += text.substr(0, size);
    }
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
}

std::string Escape(std::string_view text) {
  std::string escaped;
  AppendEscaped(text, Layout::kEscape, escaped);
  return escaped;
}

}  // namespace outbox::util
