// The inbox in PostgreSQL, through libpq. Link with libpq.
#pragma once

#include <chrono>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "../detail/libpq.hpp"
#include "inbox.hpp"

namespace outbox::inbox {
namespace detail {

inline outbox::detail::PgResult Checked(PGconn* connection, outbox::detail::PgResult result) {
  const auto failure = outbox::detail::FailureOf(connection, result);
  if (failure) throw InboxError(failure->text, failure->sqlstate);
  return result;
}

// Returns the number of rows that the statement changed.
inline std::size_t Changed(const outbox::detail::PgResult& result) {
  return static_cast<std::size_t>(std::strtoull(PQcmdTuples(result.get()), nullptr, 10));
}

// Returns the texts as a literal of an array: {"a","b"}.
inline std::string PgArray(std::span<const std::string_view> texts) {
  std::string array = "{";
  for (const std::string_view text : texts) {
    array.append(array.size() > 1 ? ",\"" : "\"");
    for (const char c : text) {
      if (c == '"' || c == '\\') array += '\\';
      array += c;
    }
    array += '"';
  }
  return array += '}';
}

inline void RequirePgTransaction(PGconn* connection) {
  const PGTransactionStatusType status = PQtransactionStatus(connection);
  if (status == PQTRANS_INERROR) throw InboxError("the transaction has already failed: roll it back");
  RequireTransaction(status == PQTRANS_INTRANS);
}

}  // namespace detail

// Returns the SQL that creates the table of the inbox, for use in your own migration. Running it again changes nothing.
inline std::string PostgresTable(const Options& options = {}) {
  const std::string table = detail::Quoted(options, '"');
  return "create table if not exists " + table +
         " (consumer_group text collate \"C\" not null, event_id text collate \"C\" not null,"
         " handled_at timestamptz not null default now(), primary key (consumer_group, event_id));\n"
         "create index if not exists \"" +
         detail::IndexName(options) + "\" on " + table + " (handled_at);\n";
}

// Returns true if the group has not handled this event: do the work, in the same transaction. Returns false if the work
// is already committed: skip the event. The call waits while another transaction handles the same event.
//
// REQUIRES: a transaction is open. Errors: throws InboxError.
inline bool FirstTime(PGconn* connection, std::string_view group, std::string_view event_id,
                      const Options& options = {}) {
  detail::RequirePgTransaction(connection);
  const std::string sql = "insert into " + detail::Quoted(options, '"') +
                          " (consumer_group, event_id) values ($1, $2) on conflict do nothing";
  outbox::detail::PgValues values(2);
  values.Add(group);
  values.Add(event_id);
  return detail::Changed(detail::Checked(connection, values.Execute(connection, sql.c_str()))) == 1;
}

// Inserts the ids of several events in one statement. Returns one element for each id: true if the group has not
// handled the event, false if the work for it is already committed. An id that occurs twice is new only at its first
// occurrence. REQUIRES and Errors: as for one event.
inline std::vector<bool> FirstTime(PGconn* connection, std::string_view group,
                                   std::span<const std::string_view> event_ids, const Options& options = {}) {
  detail::RequireFew(event_ids.size());
  detail::RequirePgTransaction(connection);
  std::vector<bool> first(event_ids.size(), false);
  if (event_ids.empty()) return first;
  // The ids are inserted in sorted order, so that two batches with the same ids do not deadlock.
  const std::string sql = "insert into " + detail::Quoted(options, '"') +
                          " (consumer_group, event_id) select $1, id from unnest($2::text[]) as u (id) order by id"
                          " on conflict do nothing returning event_id";
  const std::string ids = detail::PgArray(event_ids);
  outbox::detail::PgValues values(2);
  values.Add(group);
  values.AddText(ids.c_str());
  const auto result = detail::Checked(connection, values.Execute(connection, sql.c_str()));
  const int rows = PQntuples(result.get());
  if (static_cast<std::size_t>(rows) == event_ids.size()) return std::vector<bool>(event_ids.size(), true);
  std::unordered_set<std::string_view> inserted;
  for (int row = 0; row < rows; ++row)
    inserted.emplace(PQgetvalue(result.get(), row, 0), static_cast<std::size_t>(PQgetlength(result.get(), row, 0)));
  for (std::size_t i = 0; i < event_ids.size(); ++i) first[i] = inserted.erase(event_ids[i]) > 0;
  return first;
}

// Removes ids of the group that are older than `older_than`, at most `at_most` of them, so that no call takes long.
// Returns how many were removed. Call it a few times a day, outside the transactions that do the work, and repeat it
// while it returns `at_most`. Errors: throws InboxError.
inline std::size_t Forget(PGconn* connection, std::string_view group, std::chrono::seconds older_than = kWeek,
                          std::size_t at_most = 10'000, const Options& options = {}) {
  const std::string table = detail::Quoted(options, '"');
  const std::string sql = "delete from " + table + " where ctid = any (array(select ctid from " + table +
                          " where consumer_group = $1 and handled_at < now() - " + std::to_string(older_than.count()) +
                          " * interval '1 second' limit " + std::to_string(at_most) + " for update skip locked))";
  outbox::detail::PgValues values(1);
  values.Add(group);
  return detail::Changed(detail::Checked(connection, values.Execute(connection, sql.c_str())));
}

}  // namespace outbox::inbox
