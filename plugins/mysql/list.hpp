// Statements with lists of ids.
#pragma once

#include <span>
#include <string>

#include "sql/tables.hpp"

namespace outbox::mysql {

constexpr std::size_t kIdsPerDelete = 4000;

inline std::string Listed(std::span<const long long> ids) {
  std::string list;
  list.reserve(ids.size() * 10);
  for (const long long id : ids) {
    if (!list.empty()) list += ',';
    list += std::to_string(id);
  }
  return list;
}

// Looked up one by one, whatever the statistics say: for "in (...)" both servers scan a small table, also where the index
// is forced, and wait for the rows that others are inserting.
inline std::string DeleteEvents(const sql::Tables& tables, std::span<const long long> ids, bool is_mariadb) {
  std::string list;
  list.reserve(ids.size() * 13);
  for (const long long id : ids)
    list += (list.empty() ? "" : ",") + ((is_mariadb ? "(" : "row(") + std::to_string(id) + ")");
  // MariaDB names the column by the first value.
  const std::string column = is_mariadb ? "`" + std::to_string(ids.front()) + "`" : "column_0";
  return "delete e from (values " + list + ") l straight_join " + tables.event + " e on e.id = l." + column;
}

}  // namespace outbox::mysql
