// Names of tables in SQL.
#pragma once

#include <string>
#include <string_view>

namespace outbox::detail {

// A name or schema.name, each part between `quote`; empty where it is none. Letters, digits and _ only, so nothing needs
// escaping.
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
