// Escapes text from other sources before it is written to a terminal, a log or a page. Such text may contain anything,
// and a terminal executes some control sequences.
//
// These characters are escaped: control characters (U+0000 to U+001F, U+007F to U+009F), marks that change the
// direction of the text after them, and other invisible characters, such as zero-width characters, line and paragraph
// separators, and tags. As a result, two texts that look the same are the same, and a line stays one line.
#pragma once

#include <string>
#include <string_view>

namespace outbox::util {

// The treatment of line feeds and tabs.
enum class Layout {
  kEscape,  // They are written as \n and \t.
  kKeep,    // They remain unchanged.
};

// Returns true for a character that is escaped, including control characters.
[[nodiscard]] bool IsHidden(char32_t character);

// Appends the character as a JSON escape such as \u202e; above U+FFFF it is a pair of surrogates.
void AppendUnicodeEscape(char32_t character, std::string& to);

// Appends `text` with its hidden characters escaped: control characters below U+0080 as \n, \t or, for example, \x1b;
// the other hidden characters as in JSON, such as \u202e; bytes that are not UTF-8 as, for example, \xff.
//
// With kKeep, U+007F becomes \u007f, so that a JSON text keeps its meaning: U+007F is the only control character below
// U+0080 that a JSON string may hold unescaped.
void AppendEscaped(std::string_view text, Layout layout, std::string& to);

// Returns `text` with line feeds and tabs escaped too, so that it is one line.
[[nodiscard]] std::string Escape(std::string_view text);

}  // namespace outbox::util
