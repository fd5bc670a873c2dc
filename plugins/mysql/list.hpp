// Builds SQL with lists of rows.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>

#include "sql/row_id.hpp"

namespace outbox::mysql {

// Maximum number of rows that one statement deletes.
constexpr std::size_t kIdsPerDelete = 4000;

// Returns a condition that compares event ids by the bytes that are sent to Kafka, whatever the character set and the
// collation of the column are.
inline std::string SameEventId(const std::string& column, const std::string& other) {
  const std::string bytes = "cast(" + other + " as binary)";
  return "(cast(" + column + " as binary) = " + bytes + " or cast(convert(" + column +
         " using utf8mb4) as binary) = " + bytes + ")";
}

// Returns a literal for the text. The literal contains no colon and no quotation mark, whatever the text is.
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

// Returns a join of a list of rows with `table`, which gets the alias e. The server looks up each row by itself,
// whatever the table's statistics are. For "in (...)", both servers scan a small table, even if the index is forced,
// and wait for rows that other transactions are inserting. MariaDB also scans a small table for a join, unless the
// index is forced.
inline std::string JoinedByRow(std::span<const sql::OutboxRow> rows, const std::string& table, const std::string& id,
                               bool is_mariadb) {
  const char* const row = is_mariadb ? "(" : "row(";
  // MariaDB names the columns of a list after the values of its first entry, so the list begins with an entry that is
  // not one of the rows.
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

// Returns a statement that deletes the elements of `rows` that no other transaction has locked. A single statement
// finds and deletes the rows, so no lock is held from one statement to the next. The limit keeps the servers from
// merging the inner select into the delete, where it would lock nothing.
inline std::string DeleteUnlockedRows(const std::string& table, const std::string& id,
                                      std::span<const sql::OutboxRow> rows, bool is_mariadb) {
  return "delete e from (select e." + id + " from " + JoinedByRow(rows, table, id, is_mariadb) + " limit " +
         std::to_string(rows.size()) + " for update skip locked) unlocked straight_join " + table +
         " e force index (primary) on e." + id + " = unlocked." + id;
}

}  // namespace outbox::mysql
