// Inserts events into MySQL and MariaDB through their C library. Link with libmariadb or libmysqlclient.
//
// REQUIRES: the character set of the connection is utf8mb4.
//
// strict_order locks rows of a table that your own migration creates (docs/guide/emit.md). GET_LOCK is not used,
// because its locks do not end with the transaction.
#pragma once

#include <mysql.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "detail/rows.hpp"

namespace outbox::emit {
namespace detail {

[[noreturn]] inline void FailMysql(MYSQL* connection) {
  EmitError error(EmitCode::kDatabase, "MySQL: error " + std::to_string(mysql_errno(connection)) + " (" +
                                           mysql_sqlstate(connection) + "): " + mysql_error(connection));
  error.sqlstate = mysql_sqlstate(connection);
  error.native_code = static_cast<int>(mysql_errno(connection));
  throw error;
}

inline void RunMysql(MYSQL* connection, const std::string& sql) {
  if (mysql_real_query(connection, sql.data(), sql.size()) != 0) FailMysql(connection);
}

inline void AppendLiteral(MYSQL* connection, const Bytes& value, std::string& sql) {
  if (!value) {
    sql.append("null");
    return;
  }
  const std::size_t before = sql.size();
  sql.resize(before + 2 * value->size() + 2);
  sql[before] = '\'';
  const auto size = mysql_real_escape_string(connection, sql.data() + before + 1,
                                             value->data() != nullptr ? value->data() : "", value->size());
  sql.resize(before + 1 + size);
  sql += '\'';
}

// Checks that the values fit into their columns. A server that is not in strict mode truncates longer values.
inline void CheckMysql(const NewEvent& event, std::size_t index) {
  constexpr std::size_t kLongest = 255;
  const auto fits = [](std::string_view text) { return IsText(text) && CountCharacters(text).value_or(0) <= kLongest; };
  if (!fits(event.event_type) || (event.aggregate_id && !fits(*event.aggregate_id)))
    throw EmitError(EmitCode::kBadValue, "the event type or the key is not UTF-8 text of at most 255 characters",
                    index);
}

// Locks the rows of the keys in ascending order, so that two calls with the same keys do not deadlock.
inline void LockMysqlKeys(MYSQL* connection, std::span<const NewEvent> events, const Options& options) {
  std::string slots;
  for (const NewEvent& event : events) {
    if (!event.aggregate_id) continue;
    slots.append(slots.empty() ? "crc32(" : ",crc32(");
    AppendLiteral(connection, event.aggregate_id, slots);
    slots.append(") % 1024");
  }
  if (slots.empty()) return;
  const std::string table = Quoted(std::string(options.table) + "_lock", '`');
  RunMysql(connection, "select slot from " + table + " where slot in (" + slots + ") order by slot for update");
  const std::unique_ptr<MYSQL_RES, decltype(&mysql_free_result)> found(mysql_store_result(connection),
                                                                       &mysql_free_result);
  if (!found) FailMysql(connection);
  if (mysql_num_rows(found.get()) == 0)
    throw EmitError(EmitCode::kBadOptions, "the table " + table + " is empty: strict_order needs its 1024 rows");
}

inline void InsertMysql(MYSQL* connection, std::span<const NewEvent> events, std::span<const Row> rows,
                        const std::vector<std::string>& ids, const Options& options) {
  // With autocommit off, the next statement begins a transaction.
  const bool open = (connection->server_status & SERVER_STATUS_IN_TRANS) != 0 ||
                    (connection->server_status & SERVER_STATUS_AUTOCOMMIT) == 0;
  RequireTransaction(open, options);
  for (std::size_t i = 0; i < events.size(); ++i) CheckMysql(events[i], i);
  if (options.strict_order) LockMysqlKeys(connection, events, options);
  std::string sql = "insert into " + Quoted(options.table, '`') + InsertColumns();
  for (std::size_t i = 0; i < events.size(); ++i) {
    sql.append(i > 0 ? ",(" : "(");
    for (const Bytes& text :
         {Bytes(ids[i]), Bytes(events[i].topic), events[i].aggregate_id, Bytes(events[i].event_type)}) {
      AppendLiteral(connection, text, sql);
      sql += ',';
    }
    // A column of type text or JSON refuses a literal that is marked as bytes, so only payloads that are not text are
    // marked.
    if (events[i].payload && !IsText(*events[i].payload)) sql.append("_binary ");
    AppendLiteral(connection, events[i].payload, sql);
    sql += ',';
    AppendLiteral(connection, rows[i].headers.empty() ? std::nullopt : Bytes(rows[i].headers), sql);
    sql += ')';
  }
  RunMysql(connection, sql);
}

}  // namespace detail

// Inserts all of the events or none, in this order, in one statement. Returns their event ids. REQUIRES: the statement
// fits into the server's max_allowed_packet. Errors: throws EmitError.
inline std::vector<std::string> Emit(MYSQL* connection, std::span<const NewEvent> events, const Options& options = {}) {
  const std::vector<detail::Row> rows = detail::MakeRows(events, options);
  std::vector<std::string> ids = detail::Ids(rows);
  if (!rows.empty()) detail::InsertMysql(connection, events, rows, ids, options);
  return ids;
}

// Inserts an event and returns its event id, which is the header event_id of its record. Errors: throws EmitError.
inline std::string Emit(MYSQL* connection, const NewEvent& event, const Options& options = {}) {
  return std::move(Emit(connection, std::span(&event, 1), options).front());
}

}  // namespace outbox::emit
