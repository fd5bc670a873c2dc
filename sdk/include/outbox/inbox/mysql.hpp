// The inbox in MySQL and MariaDB through their C library. Link with libmariadb or libmysqlclient. The connection's
// character set must be utf8mb4.
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

// Returns how many rows were changed.
inline std::size_t Run(MYSQL* connection, const std::string& sql) {
  if (mysql_real_query(connection, sql.data(), sql.size()) != 0)
    throw InboxError(
        "MySQL: error " + std::to_string(mysql_errno(connection)) + " (" + mysql_sqlstate(connection) + ")",
        mysql_sqlstate(connection), static_cast<int>(mysql_errno(connection)));
  return static_cast<std::size_t>(mysql_affected_rows(connection));
}

// "insert ignore" would cut what is too long, and take it for another.
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

// The table, for a migration of yours. Running it again changes nothing.
inline std::string MysqlTable(const Options& options = {}) {
  return "create table if not exists " + detail::Quoted(options, '`') +
         " (consumer_group varchar(255) not null, event_id varchar(255) not null,"
         " handled_at timestamp(6) not null default current_timestamp(6), primary key (consumer_group, event_id),"
         " index (handled_at)) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin;\n";
}

// True = never seen by this group: do the work. False = its work is committed: go on. For many, an id that is there twice
// is new at its first place alone; each is a round trip. Throws InboxError: two batches with the same ids at the same time
// may meet in a deadlock, which undoes the transaction of one of them.
inline std::vector<bool> FirstTime(MYSQL* connection, std::string_view group,
                                   std::span<const std::string_view> event_ids, const Options& options = {}) {
  detail::RequireFew(event_ids.size());
  // With autocommit off a transaction begins with the next statement.
  detail::RequireTransaction((connection->server_status & SERVER_STATUS_IN_TRANS) != 0 ||
                             (connection->server_status & SERVER_STATUS_AUTOCOMMIT) == 0);
  // "on duplicate key update" would not tell: a connection may ask for rows that were found instead of changed.
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

inline bool FirstTime(MYSQL* connection, std::string_view group, std::string_view event_id,
                      const Options& options = {}) {
  return FirstTime(connection, group, std::span(&event_id, 1), options).front();
}

// Forgets ids of the group that are older, `at_most` of them, so that no call takes long; returns how many. Call it
// outside the transactions that do the work, as long as it returns `at_most`, some times a day.
inline std::size_t Forget(MYSQL* connection, std::string_view group, std::chrono::seconds older_than = kWeek,
                          std::size_t at_most = 10'000, const Options& options = {}) {
  return detail::Run(connection, "delete from " + detail::Quoted(options, '`') +
                                     " where consumer_group = " + detail::Literal(connection, group) +
                                     " and handled_at < now(6) - interval " + std::to_string(older_than.count()) +
                                     " second order by handled_at limit " + std::to_string(at_most));
}

}  // namespace outbox::inbox
