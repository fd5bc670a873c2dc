// Statements with lists of ids and of rows.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>

#include "sql/row_id.hpp"

namespace outbox::mysql {

constexpr std::size_t kIdsPerDelete = 4000;

// Event ids are compared by the bytes that are sent, whatever the column's character set and collation are.
inline std::string SameEventId(const std::string& column, const std::string& other) {
  const std::string bytes = "cast(" + other + " as binary)";
  return "(cast(" + column + " as binary) = " + bytes + " or cast(convert(" + column +
         " using utf8mb4) as binary) = " + bytes + ")";
}

// Without a colon or a quote in it, whatever the text is.
inline std::string PlainLiteral(std::string_view text) {
  constexpr char kDigits[] = "0123456789abcdef";
  const auto plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  };
  if (std::all_of(text.begin(), text.end(), plain)) return "'" + std::string(text) + "'";
  std::string literal = "x'";
  for (const char c : text) {
    literal += kDigits[static_cast<unsigned char>(c) >> 4U];
    literal += kDigits[static_cast<unsigned char>(c) & 15U];
  }
  return literal + "'";
}

// `table`, as e, joined to a list of rows. They are looked up one by one, whatever the statistics say: for "in (...)" both
// servers scan a small table, also where the index is forced, and wait for the rows that others are inserting. So does
// MariaDB for a join unless the index is forced.
inline std::string JoinedByRow(std::span<const sql::OutboxRow> rows, const std::string& table, const std::string& id,
                               bool is_mariadb) {
  const char* const row = is_mariadb ? "(" : "row(";
  // MariaDB names the columns by the first values, so these are of no row.
  std::string list = std::string(row) + "0,'event')";
  list.reserve(rows.size() * 56);
  for (const sql::OutboxRow& one : rows) {
    list += ',';
    list += row;
    list += std::to_string(one.id) + "," + PlainLiteral(one.event_id) + ")";
  }
  return "(values " + list + ") l straight_join " + table + " e force index (primary) on e." + id + " = l." +
         (is_mariadb ? "`0`" : "column_0") + " and " +
         SameEventId("e.event_id", is_mariadb ? "l.`event`" : "l.column_1");
}

inline std::string DeleteRows(const std::string& table, const std::string& id, std::span<const sql::OutboxRow> rows,
                              bool is_mariadb) {
  return "delete e from " + JoinedByRow(rows, table, id, is_mariadb);
}

// Passes over those that another transaction has locked. One statement, so that no lock is held from one to the next; the
// limit keeps the servers from merging the inner look into the outer one, where it would lock nothing.
inline std::string DeleteUnlockedRows(const std::string& table, const std::string& id,
                                      std::span<const sql::OutboxRow> rows, bool is_mariadb) {
  return "delete e from (select e." + id + " from " + JoinedByRow(rows, table, id, is_mariadb) + " limit " +
         std::to_string(rows.size()) + " for update skip locked) unlocked straight_join " + table +
         " e force index (primary) on e." + id + " = unlocked." + id;
}

}  // namespace outbox::mysql
