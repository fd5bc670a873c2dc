// Quotes names of tables for SQL.
#pragma once

#include <string>
#include <string_view>

namespace outbox::detail {

// Returns a name or schema.name with each part in quotes; an empty string if `table` is neither. The parts consist of
// letters, digits and _, so nothing has to be escaped.
inline std::string QuotedTable(std::string_view table, char quote) {
  std::string sql(1, quote);
  bool begins = true;
  for (const char c : table) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    const bool digit = c >= '0' && c <= '9';
    if (!letter && (begins || (!digit && c != '.'))) return "";
    if (c == '.') sql += quote;
    sql += c;
    if (c == '.') sql += quote;
    begins = c == '.';
  }
  return begins ? "" : sql += quote;
}

}  // namespace outbox::detail
