// UTF-8, and names in SQL.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "../../detail/table_name.hpp"
#include "../event.hpp"

namespace outbox::emit::detail {

// Length of the character at the start, 0 = none. NUL, overlong forms, surrogates and what lies above U+10FFFF are none.
inline std::size_t CharacterSize(std::string_view s) {
  const auto at = [&](std::size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0U; };
  const auto in = [&](std::size_t i, unsigned low, unsigned high) { return at(i) >= low && at(i) <= high; };
  const unsigned first = at(0);
  if (first >= 0x01 && first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return in(1, 0x80, 0xBF) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool second = in(1, first == 0xE0 ? 0xA0 : 0x80, first == 0xED ? 0x9F : 0xBF);
    return second && in(2, 0x80, 0xBF) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool second = in(1, first == 0xF0 ? 0x90 : 0x80, first == 0xF4 ? 0x8F : 0xBF);
    return second && in(2, 0x80, 0xBF) && in(3, 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

// In characters; npos where it is no UTF-8 text without NUL.
inline std::size_t TextLength(std::string_view bytes) {
  std::size_t length = 0;
  while (!bytes.empty()) {
    const std::size_t size = CharacterSize(bytes);
    if (size == 0) return std::string_view::npos;
    bytes.remove_prefix(size);
    ++length;
  }
  return length;
}

inline bool IsText(std::string_view bytes) { return TextLength(bytes) != std::string_view::npos; }

inline std::string Quoted(std::string_view table, char quote) {
  std::string sql = outbox::detail::QuotedTable(table, quote);
  if (sql.empty())
    throw EmitError(EmitCode::kBadOptions, "the table must be a name or schema.name of letters, digits and _");
  return sql;
}

inline const char* InsertColumns() { return " (event_id, topic, aggregate_id, event_type, payload, headers) values "; }

}  // namespace outbox::emit::detail
