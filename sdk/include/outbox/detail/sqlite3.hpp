// What emit and inbox need of SQLite.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <optional>
#include <string_view>

#include "free_with.hpp"

namespace outbox::detail {

using SqliteStatement = std::unique_ptr<sqlite3_stmt, FreeWith<sqlite3_finalize>>;

// The value must stay until the statement has run. Absent binds nothing, which is NULL.
inline int BindText(sqlite3_stmt* statement, int place, const std::optional<std::string_view>& value) {
  if (!value) return SQLITE_OK;
  // A null pointer would be NULL where the value is empty.
  const char* const address = value->data() != nullptr ? value->data() : "";
  return sqlite3_bind_text(statement, place, address, static_cast<int>(value->size()), SQLITE_STATIC);
}

inline int BindBlob(sqlite3_stmt* statement, int place, const std::optional<std::string_view>& value) {
  if (!value) return SQLITE_OK;
  const char* const address = value->data() != nullptr ? value->data() : "";
  return sqlite3_bind_blob(statement, place, address, static_cast<int>(value->size()), SQLITE_STATIC);
}

}  // namespace outbox::detail
