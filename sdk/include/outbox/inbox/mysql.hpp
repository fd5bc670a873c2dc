// The inbox in MySQL and MariaDB, through their C library. Link with libmariadb or libmysqlclient.
//
// REQUIRES: the character set of the connection is utf8mb4.
#pragma once

#include <mysql.h>

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inbox.hpp"

namespace outbox::inbox {
namespace detail {

// Runs a statement and returns how many rows it changed.
inline std::size_t Run(MYSQL* connection, const std::string& sql) {
  if (mysql_real_query(connection, sql.data(), sql.size()) != 0)
    throw InboxError(
        "MySQL: error " + std::to_string(mysql_errno(connection)) + " (" + mysql_sqlstate(connection) + ")",
        mysql_sqlstate(connection), static_cast<int>(mysql_errno(connection)));
  return static_cast<std::size_t>(mysql_affected_rows(connection));
}

// Refuses a text that is too long for its column: "insert ignore" would truncate it, and two long ids could become
// equal.
inline void RequireShort(std::string_view text) {
  if (text.size() > 255) throw InboxError("the group or an event id has more than 255 bytes");
}

inline std::string Literal(MYSQL* connection, std::string_view text) {
  std::string sql(2 * text.size() + 2, '\'');
  const auto size =
      mysql_real_escape_string(connection, sql.data() + 1, text.data() != nullptr ? text.data() : "", text.size());
  sql.resize(1 + size);
  return sql += '\'';
}

}  // namespace detail

// Returns the SQL that creates the table of the inbox, for use in your own migration. Running it again changes nothing.
inline std::string MysqlTable(const Options& options = {}) {
  return "create table if not exists " + detail::Quoted(options, '`') +
         " (consumer_group varchar(255) not null, event_id varchar(255) not null,"
         " handled_at timestamp(6) not null default current_timestamp(6), primary key (consumer_group, event_id),"
         " index (handled_at)) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin;\n";
}

// Returns for each event true if the group has not handled it: do the work, in the same transaction. Returns false if
// its work is already committed: skip the event. An id that occurs twice is new only at its first occurrence. Each id
// takes a round trip, and the call waits while another transaction handles the same event.
//
// REQUIRES: a transaction is open. Errors: throws InboxError. If two batches with the same ids run at the same time,
// they may deadlock; the server then rolls back the transaction of one of them.
inline std::vector<bool> FirstTime(MYSQL* connection, std::string_view group,
                                   std::span<const std::string_view> event_ids, const Options& options = {}) {
  detail::RequireFew(event_ids.size());
  // With autocommit off, the next statement begins a transaction.
  detail::RequireTransaction((connection->server_status & SERVER_STATUS_IN_TRANS) != 0 ||
                             (connection->server_status & SERVER_STATUS_AUTOCOMMIT) == 0);
  // "on duplicate key update" would not show whether a row was inserted, because a connection may be set to report the
  // rows that were found instead of those that were changed.
  const std::string before = "insert ignore into " + detail::Quoted(options, '`') +
                             " (consumer_group, event_id) values (" + detail::Literal(connection, group) + ",";
  detail::RequireShort(group);
  std::vector<bool> first;
  first.reserve(event_ids.size());
  for (const std::string_view event_id : event_ids) detail::RequireShort(event_id);
  for (const std::string_view event_id : event_ids) {
    first.push_back(detail::Run(connection, before + detail::Literal(connection, event_id) + ")") == 1);
  }
  return first;
}

// Returns true if the group has not handled this event: do the work, in the same transaction. Returns false if the work
// is already committed: skip the event. REQUIRES and Errors: as for several events.
inline bool FirstTime(MYSQL* connection, std::string_view group, std::string_view event_id,
                      const Options& options = {}) {
  return FirstTime(connection, group, std::span(&event_id, 1), options).front();
}

// Removes ids of the group that are older than `older_than`, at most `at_most` of them, so that no call takes long.
// Returns how many were removed. Call it a few times a day, outside the transactions that do the work, and repeat it
// while it returns `at_most`. Errors: throws InboxError.
inline std::size_t Forget(MYSQL* connection, std::string_view group, std::chrono::seconds older_than = kWeek,
                          std::size_t at_most = 10'000, const Options& options = {}) {
  return detail::Run(connection, "delete from " + detail::Quoted(options, '`') +
                                     " where consumer_group = " + detail::Literal(connection, group) +
                                     " and handled_at < now(6) - interval " + std::to_string(older_than.count()) +
                                     " second order by handled_at limit " + std::to_string(at_most));
}

}  // namespace outbox::inbox
