// The inbox: a table in a consumer's database that remembers the ids of handled events. With it, an event that arrives
// twice has its effect in that database once.
//
//   begin
//   if (inbox::FirstTime(connection, "billing", record.event_id)) { the work }
//   commit
//   return Outcome::Ok();
//
// FirstTime inserts the id in the caller's transaction, so the database contains both the id and the work or neither,
// at whatever moment the consumer crashes. If another consumer handles the same event at the same time, that consumer
// waits for the end of this transaction.
//
// There is one header per client library: libpq.hpp, sqlite3.hpp and mysql.hpp; with SOCI, include one of
// outbox/soci/*.hpp too.
//
// Thread: any that may use the connection. Nothing is kept between calls.
#pragma once

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

#include "../detail/table_name.hpp"

namespace outbox::inbox {

// The options of all functions of the inbox.
struct Options {
  // The table of the inbox: a name or schema.name of letters, digits and _.
  std::string_view table = "outbox_inbox";
};

// Largest number of events in one call. More are refused.
inline constexpr std::size_t kMaxEvents = 5000;

// Time for which ids are kept by default. It must be longer than the time within which a copy of an event may arrive.
// In normal operation copies arrive within minutes. If somebody resets the offsets of the group to earlier records,
// copies may be as old as those records, at most as old as the retention time of the topic.
inline constexpr std::chrono::hours kWeek{24 * 7};

// The error that the functions of the inbox throw. Nothing was inserted, or the transaction must be rolled back. The
// text contains no event id.
struct InboxError : std::runtime_error {
  explicit InboxError(const std::string& text, std::string state = {}, int native = 0)
      : runtime_error(text), sqlstate(std::move(state)), native_code(native) {}
  std::string sqlstate;  // The five characters of the SQLSTATE; empty = none.
  int native_code;       // The database's own error number; 0 = none.
};

namespace detail {

inline std::string Quoted(const Options& options, char quote) {
  std::string sql = outbox::detail::QuotedTable(options.table, quote);
  if (sql.empty()) throw InboxError("the table must be a name or schema.name of letters, digits and _");
  return sql;
}

inline void RequireTransaction(bool open) {
  if (!open)
    throw InboxError(
        "no transaction is open on this connection: begin one, so that the event id is stored together with the work");
}

inline void RequireFew(std::size_t events) {
  if (events > kMaxEvents)
    throw InboxError(std::to_string(events) + " events in one call, but at most " + std::to_string(kMaxEvents) +
                     " are allowed");
}

// Returns the name of the index: the name of the table without its schema, followed by the column.
inline std::string IndexName(const Options& options) {
  return std::string(options.table.substr(options.table.find('.') + 1)) + "_handled_at";
}

}  // namespace detail
}  // namespace outbox::inbox
