// Inserts events into SQLite. Link with sqlite3.
//
// SQLite has one writer at a time, and only the writer draws row ids, so events are always in the order of the commits.
// The option strict_order is accepted and has no effect.
#pragma once

#include <sqlite3.h>

#include <span>
#include <string>
#include <vector>

#include "../detail/sqlite3.hpp"
#include "detail/rows.hpp"

namespace outbox::emit {
namespace detail {

inline void CheckSqlite(sqlite3* db, int result) {
  if (result == SQLITE_OK || result == SQLITE_DONE || result == SQLITE_ROW) return;
  EmitError error(EmitCode::kDatabase, std::string("SQLite: ") + sqlite3_errmsg(db));
  error.native_code = sqlite3_extended_errcode(db);
  throw error;
}

inline std::string SqliteInsert(const Options& options, std::size_t rows) {
  std::string sql = "insert into " + Quoted(options.table, '"') + InsertColumns();
  sql.reserve(sql.size() + rows * 14);
  for (std::size_t row = 0; row < rows; ++row) sql.append(row > 0 ? ",(?,?,?,?,?,?)" : "(?,?,?,?,?,?)");
  return sql;
}

// The statement of most calls: one event and the default table. It is a constant, so that it need not be built for each
// call.
inline constexpr const char* kSqliteInsertOne =
    "insert into \"outbox_event\" (event_id, topic, aggregate_id, event_type, payload, headers) values (?,?,?,?,?,?)";

inline void InsertSqlite(sqlite3* db, std::span<const NewEvent> events, std::span<const Row> rows,
                         std::span<const std::string> ids, const Options& options) {
  RequireTransaction(sqlite3_get_autocommit(db) == 0, options);
  const bool usual = events.size() == 1 && options.table == Options().table;
  const std::string sql = usual ? "" : SqliteInsert(options, events.size());
  sqlite3_stmt* raw = nullptr;
  // With size -1 SQLite reads up to the NUL and does not copy the text.
  CheckSqlite(db, sqlite3_prepare_v2(db, usual ? kSqliteInsertOne : sql.c_str(), -1, &raw, nullptr));
  const outbox::detail::SqliteStatement statement(raw);
  int place = 0;
  const auto text = [&](const Bytes& value) { CheckSqlite(db, outbox::detail::BindText(raw, ++place, value)); };
  for (std::size_t i = 0; i < events.size(); ++i) {
    text(ids[i]);
    text(events[i].topic);
    text(events[i].aggregate_id);
    text(events[i].event_type);
    CheckSqlite(db, outbox::detail::BindBlob(raw, ++place, events[i].payload));
    text(rows[i].headers.empty() ? std::nullopt : Bytes(rows[i].headers));
  }
  CheckSqlite(db, sqlite3_step(raw));
}

}  // namespace detail

// Inserts all of the events or none, in this order, in one statement. Returns their event ids. If another connection is
// writing, the call waits for at most the busy timeout of this connection. Errors: throws EmitError.
inline std::vector<std::string> Emit(sqlite3* db, std::span<const NewEvent> events, const Options& options = {}) {
  const std::vector<detail::Row> rows = detail::MakeRows(events, options);
  std::vector<std::string> ids = detail::Ids(rows);
  if (!rows.empty()) detail::InsertSqlite(db, events, rows, ids, options);
  return ids;
}

// Inserts an event and returns its event id, which is the header event_id of its record. Errors: throws EmitError.
inline std::string Emit(sqlite3* db, const NewEvent& event, const Options& options = {}) {
  const detail::Row row = detail::MakeRow(event, options);
  std::string id = detail::EventIdText(row.id);
  detail::InsertSqlite(db, {&event, 1}, {&row, 1}, {&id, 1}, options);
  return id;
}

}  // namespace outbox::emit
