// The inbox in SQLite. Link with sqlite3.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "../detail/sqlite3.hpp"
#include "inbox.hpp"

namespace outbox::inbox {
namespace detail {

inline void Check(sqlite3* db, int result) {
  if (result != SQLITE_OK && result != SQLITE_DONE && result != SQLITE_ROW)
    throw InboxError(std::string("SQLite: ") + sqlite3_errmsg(db), {}, sqlite3_extended_errcode(db));
}

inline outbox::detail::SqliteStatement Prepared(sqlite3* db, const std::string& sql) {
  sqlite3_stmt* raw = nullptr;
  Check(db, sqlite3_prepare_v2(db, sql.c_str(), static_cast<int>(sql.size()), &raw, nullptr));
  return outbox::detail::SqliteStatement(raw);
}

}  // namespace detail

// Returns the SQL that creates the table of the inbox, for use in your own migration. Running it again changes nothing.
inline std::string SqliteTable(const Options& options = {}) {
  const std::string table = detail::Quoted(options, '"');
  return "create table if not exists " + table +
         " (consumer_group text not null, event_id text not null,"
         " handled_at integer not null default (cast(strftime('%s', 'now') as integer)),"
         " primary key (consumer_group, event_id)) without rowid;\n"
         "create index if not exists \"" +
         detail::IndexName(options) + "\" on " + table + " (handled_at);\n";
}

// Returns for each event true if the group has not handled it: do the work, in the same transaction. Returns false if
// its work is already committed: skip the event. An id that occurs twice is new only at its first occurrence. If
// another connection is writing, the call waits for at most the busy timeout of this connection.
//
// REQUIRES: a transaction is open. Errors: throws InboxError.
inline std::vector<bool> FirstTime(sqlite3* db, std::string_view group, std::span<const std::string_view> event_ids,
                                   const Options& options = {}) {
  detail::RequireFew(event_ids.size());
  detail::RequireTransaction(sqlite3_get_autocommit(db) == 0);
  const auto statement = detail::Prepared(db, "insert into " + detail::Quoted(options, '"') +
                                                  " (consumer_group, event_id) values (?, ?) on conflict do nothing");
  std::vector<bool> first;
  first.reserve(event_ids.size());
  detail::Check(db, outbox::detail::BindText(statement.get(), 1, group));
  for (const std::string_view event_id : event_ids) {
    detail::Check(db, outbox::detail::BindText(statement.get(), 2, event_id));
    detail::Check(db, sqlite3_step(statement.get()));
    first.push_back(sqlite3_changes(db) == 1);
    detail::Check(db, sqlite3_reset(statement.get()));
  }
  return first;
}

// Returns true if the group has not handled this event: do the work, in the same transaction. Returns false if the work
// is already committed: skip the event. REQUIRES and Errors: as for several events.
inline bool FirstTime(sqlite3* db, std::string_view group, std::string_view event_id, const Options& options = {}) {
  return FirstTime(db, group, std::span(&event_id, 1), options).front();
}

// Removes ids of the group that are older than `older_than`, at most `at_most` of them, so that no call holds the write
// lock for long. Returns how many were removed. Call it a few times a day, outside the transactions that do the work,
// and repeat it while it returns `at_most`. Errors: throws InboxError.
inline std::size_t Forget(sqlite3* db, std::string_view group, std::chrono::seconds older_than = kWeek,
                          std::size_t at_most = 10'000, const Options& options = {}) {
  const std::string table = detail::Quoted(options, '"');
  const auto statement = detail::Prepared(
      db, "delete from " + table + " where (consumer_group, event_id) in (select consumer_group, event_id from " +
              table + " where consumer_group = ? and handled_at < cast(strftime('%s', 'now') as integer) - " +
              std::to_string(older_than.count()) + " limit " + std::to_string(at_most) + ")");
  detail::Check(db, outbox::detail::BindText(statement.get(), 1, group));
  detail::Check(db, sqlite3_step(statement.get()));
  return static_cast<std::size_t>(sqlite3_changes(db));
}

}  // namespace outbox::inbox
