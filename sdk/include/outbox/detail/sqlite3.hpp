// Helpers for SQLite that emit and inbox share.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <optional>
#include <string_view>

#include "free_with.hpp"

namespace outbox::detail {

using SqliteStatement = std::unique_ptr<sqlite3_stmt, FreeWith<sqlite3_finalize>>;

// Binds a text to the parameter with the number `place`, from 1; an absent value is bound as NULL. Returns SQLite's
// result code. REQUIRES: the bytes of `value` live until the statement has run.
inline int BindText(sqlite3_stmt* statement, int place, const std::optional<std::string_view>& value) {
  if (!value) return SQLITE_OK;
  // An empty value needs an address, because a null pointer means NULL.
  const char* const address = value->data() != nullptr ? value->data() : "";
  return sqlite3_bind_text(statement, place, address, static_cast<int>(value->size()), SQLITE_STATIC);
}

// Binds bytes to the parameter with the number `place`, from 1; an absent value is bound as NULL. Returns SQLite's
// result code. REQUIRES: the bytes of `value` live until the statement has run.
inline int BindBlob(sqlite3_stmt* statement, int place, const std::optional<std::string_view>& value) {
  if (!value) return SQLITE_OK;
  const char* const address = value->data() != nullptr ? value->data() : "";
  return sqlite3_bind_blob(statement, place, address, static_cast<int>(value->size()), SQLITE_STATIC);
}

}  // namespace outbox::detail
