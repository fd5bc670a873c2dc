// Inserts events into PostgreSQL through libpq. Link with libpq.
#pragma once

#include <libpq-fe.h>

#include <span>
#include <string>
#include <vector>

#include "../detail/libpq.hpp"
#include "detail/rows.hpp"

namespace outbox::emit {
namespace detail {

using outbox::detail::PgResult;
using outbox::detail::PgValues;

inline void CheckPg(PGconn* connection, const PgResult& result) {
  const auto failure = outbox::detail::FailureOf(connection, result);
  if (!failure) return;
  EmitError error(EmitCode::kDatabase, failure->text);
  error.sqlstate = failure->sqlstate;
  throw error;
}

inline void RequirePgTransaction(PGconn* connection, const Options& options) {
  const PGTransactionStatusType status = PQtransactionStatus(connection);
  if (status == PQTRANS_INERROR)
    throw EmitError(EmitCode::kNoTransaction, "the transaction has already failed: roll it back");
  if (status == PQTRANS_INTRANS || status == PQTRANS_IDLE)
    return RequireTransaction(status == PQTRANS_INTRANS, options);
  throw EmitError(EmitCode::kDatabase, status == PQTRANS_ACTIVE ? "a command is in progress on this connection"
                                                                : "PostgreSQL: the connection is not open");
}

// Locks the keys of the events in the order of the locks' numbers, so that two calls with the same keys do not
// deadlock. The hash includes the table's oid, so that outboxes do not share locks.
inline void LockPgKeys(PGconn* connection, std::span<const NewEvent> events, const std::string& table) {
  PgValues values(events.size() + 1);
  values.AddText(table.c_str());
  std::string keys;
  for (std::size_t number = 1; const NewEvent& event : events) {
    if (!event.aggregate_id) continue;
    values.Add(event.aggregate_id);
    keys.append(keys.empty() ? "($" : ",($").append(std::to_string(++number)).append("::text)");
  }
  if (keys.empty()) return;
  const std::string sql =
      "select pg_advisory_xact_lock(h) from (select distinct hashtextextended(k, $1::regclass::oid::bigint) as h from "
      "(values " +
      keys + ") as v (k) order by h) as l";
  CheckPg(connection, values.Execute(connection, sql.c_str()));
}

inline std::string PgInsert(const std::string& table, std::size_t rows, const Options& options) {
  constexpr std::size_t kColumns = 6, kPayload = 4;
  std::string sql;
  sql.reserve(128 + rows * 40);
  sql.append("insert into ").append(table).append(InsertColumns());
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < kColumns; ++column) {
      sql.append(column > 0 ? ",$" : row > 0 ? ",($" : "($").append(std::to_string(row * kColumns + column + 1));
      if (column == kPayload && options.jsonb_payload) sql.append("::text::jsonb");
    }
    sql += ')';
  }
  return sql;
}

// The statement of most calls: one event and the default options. It is a constant, so that it need not be
// built for each call.
inline constexpr const char* kPgInsertOne =
    "insert into \"outbox_event\" (event_id, topic, aggregate_id, event_type, payload, headers)"
    " values ($1,$2,$3,$4,$5,$6)";

inline void InsertPg(PGconn* connection, std::span<const NewEvent> events, std::span<const Row> rows,
                     const Options& options) {
  RequirePgTransaction(connection, options);
  std::string table, sql;
  const bool usual = events.size() == 1 && options.table == Options().table && !options.jsonb_payload;
  if (!usual || options.strict_order) table = Quoted(options.table, '"');
  if (options.strict_order) LockPgKeys(connection, events, table);
  if (!usual) sql = PgInsert(table, events.size(), options);
  PgValues values(events.size() * 6);
  for (std::size_t i = 0; i < events.size(); ++i) {
    values.Add(std::string_view(reinterpret_cast<const char*>(rows[i].id.data()), rows[i].id.size()));
    values.Add(events[i].topic);
    values.Add(events[i].aggregate_id);
    values.Add(events[i].event_type);
    values.Add(events[i].payload);
    values.AddText(rows[i].headers.empty() ? nullptr : rows[i].headers.c_str());
  }
  CheckPg(connection, values.Execute(connection, usual ? kPgInsertOne : sql.c_str()));
}

}  // namespace detail

// Inserts an event and returns its event id, which is the header event_id of its record. It blocks until the server has
// answered. With strict_order it also blocks while another open transaction has locked the key.
//
// Errors: throws EmitError.
inline std::string Emit(PGconn* connection, const NewEvent& event, const Options& options = {}) {
  const detail::Row row = detail::MakeRow(event, options);
  detail::InsertPg(connection, {&event, 1}, {&row, 1}, options);
  return detail::EventIdText(row.id);
}

// Inserts all of the events or none, in this order, in one statement. Returns their event ids. Errors: throws
// EmitError.
inline std::vector<std::string> Emit(PGconn* connection, std::span<const NewEvent> events,
                                     const Options& options = {}) {
  const std::vector<detail::Row> rows = detail::MakeRows(events, options);
  if (!rows.empty()) detail::InsertPg(connection, events, rows, options);
  return detail::Ids(rows);
}

}  // namespace outbox::emit
