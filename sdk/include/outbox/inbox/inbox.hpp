// A consumer's memory of the events whose work is done, in the database in which the work is done: an event that comes
// twice then has its effect once.
//
//   begin
//   if (inbox::FirstTime(connection, "billing", record.event_id)) { the work }
//   commit
//   return Outcome::Ok();
//
// The id is inserted in the caller's transaction, so id and work are both there or neither, whenever the consumer dies.
// Another consumer that has the same event at the same time waits for the end of this transaction.
//
// One header per client library: libpq.hpp, sqlite3.hpp, mysql.hpp; with SOCI outbox/soci/*.hpp as well. Nothing is kept
// between calls.
#pragma once

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

#include "../detail/table_name.hpp"

namespace outbox::inbox {

struct Options {
  std::string_view table = "outbox_inbox";  // a name or schema.name of letters, digits and _
};

// In one batch. More are refused.
inline constexpr std::size_t kMaxEvents = 5000;

// How long ids are kept: longer than the time within which a copy may come. That is minutes in daily work, and as far back
// as an offset of the group may be set, or records stay in the topic, where somebody does that.
inline constexpr std::chrono::hours kWeek{24 * 7};

// Nothing was inserted, or the transaction must be rolled back. The text shows no event id.
struct InboxError : std::runtime_error {
  explicit InboxError(const std::string& text, std::string state = {}, int native = 0)
      : runtime_error(text), sqlstate(std::move(state)), native_code(native) {}
  std::string sqlstate;  // five characters where the database has one
  int native_code;       // the database's own number, 0 = none
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
        "no transaction is open on this connection: begin one, so that the event is remembered with its work");
}

inline void RequireFew(std::size_t events) {
  if (events > kMaxEvents)
    throw InboxError(std::to_string(events) + " events, a batch has at most " + std::to_string(kMaxEvents));
}

// An index's name: that of the table, without its schema, and what it is for.
inline std::string IndexName(const Options& options) {
  return std::string(options.table.substr(options.table.find('.') + 1)) + "_handled_at";
}

}  // namespace detail
}  // namespace outbox::inbox
