// Text of others on its way to a terminal, a log or a page: it may hold anything, and a terminal obeys some of that.
//
// Escaped are control characters (U+0000 to U+001F, U+007F to U+009F), marks that turn the direction of what follows, and
// other characters that show nothing: zero-width ones, line and paragraph separators, tags. So two texts that look alike are
// alike, and a line stays one line.
#pragma once

#include <string>
#include <string_view>

namespace outbox::util {

enum class Layout {
  kEscape,  // line feed and tab as \n and \t
  kKeep,    // line feed and tab as they are
};

// True for a character that is escaped, control characters included.
[[nodiscard]] bool IsHidden(char32_t character);

// As JSON has it: \u202e, or a pair of surrogates above U+FFFF.
void AppendUnicodeEscape(char32_t character, std::string& to);

// Control characters below U+0080 become \n, \t or \x1b, the others \u202e as in JSON, and bytes that are not UTF-8 \xff. With
// kKeep U+007F is \u007f, so that a JSON text keeps its meaning; it holds no other control character below U+0080.
void AppendEscaped(std::string_view text, Layout layout, std::string& to);

// One line.
[[nodiscard]] std::string Escape(std::string_view text);

}  // namespace outbox::util
