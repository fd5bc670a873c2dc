// The SQL fragments in which databases differ. The shared SQL has placeholders for these fragments, so code that uses
// the shared SQL works for a further database without a change.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sql/tables.hpp"

namespace outbox::sql {

// Statements that change rows in one transaction. The ids of the rows replace the placeholder [ids], as a
// comma-separated list. `counted` is the index of the statement that returns, as text, how many events were changed.
struct Change {
  std::vector<std::string> steps;
  std::size_t counted = 0;
};

// In the fragments, the alias `e` is an event in the outbox or a dead letter, `r` is the failure record of that event,
// and `m` is the row of the meta table. Tables are named by the placeholders of Tables::In.
struct Dialect {
  using Of = std::function<std::string(const std::string& expression)>;

  std::string server;                             // the name of the database product, for messages
  std::string text = "text", integer = "bigint";  // the types to cast texts and row ids to
  std::string div = "/";                          // the operator that divides integers
  std::string begin = "begin";                    // begins a transaction that inserts events
  // clause that follows a SELECT and locks its rows; "" where every transaction that writes locks the database
  std::string lock;
  std::size_t max_reason = 1000;  // capacity of the column `reason`, in bytes
  // Follows a SELECT and limits the number of its rows.
  Of limit = [](const std::string& rows) { return "limit " + rows; };
  std::string dual;  // the FROM clause of a SELECT that reads no table; "" where none is needed

  // Expressions for times, in the types of the columns expires, next_try and remove_at.
  std::string now;    // the current time, not the start of the transaction
  std::string later;  // the current time plus the parameter :ms, in milliseconds
  std::string left;   // the time from t.at to r.expires in milliseconds, as a bigint
  std::string stamp;  // the current time in the type of first_failed, last_failed and died_at

  // Condition: the relay id r.relay_id has the same name as t.me, the id of this relay. It is as long as t.me, and
  // begins with t.stem, the part of t.me up to the '#'.
  std::string namesake = "length(r.relay_id) = length(t.me) and substr(r.relay_id, 1, length(t.stem)) = t.stem";

  // Conversions of a time to microseconds since 1970 UTC, or to a text for ParseTime. NULL means that the time is not
  // known.
  Of shown;  // for a time of the type of expires, next_try and remove_at
  Of time;   // for a time of the type of created_at, first_failed, last_failed or died_at

  // Parts of conditions about failures. They also compare event ids, because row ids are assigned again after a
  // TRUNCATE.
  std::string same_failure;         // begins with " and "; follows r.row_id = e.id
  std::string event_id = ":event";  // the parameter :event in the type of the column event_id of {retry}
  std::string behind;  // condition: r is the failure of an earlier row with e's key; uses the index of {retry} on keys
  // The number of rows of {event} according to the server's statistics or to the ids; it may be outdated or far off.
  std::string estimate;

  // Expressions with which events are listed for operators.
  Of bytes;                // converts a text in a way that preserves every byte
  Of text_of;              // converts a text so that LIKE can compare it
  bool hex = true;         // `bytes` and `payload` return hexadecimal digits
  std::string shown_id;    // the event id, as text
  std::string same_event;  // condition: e has the event id :event
  Of same_key;             // condition: the column equals the key :key
  std::string shard;       // the shard of e
  std::string payload, payload_size;
  // `columns` has, for captured rows, one expression over the alias e for each of Tables::captured->columns. Its result
  // has the form that `bytes` produces; it contains no placeholders, and is "null" for the column of the payload.
  // `written` converts the value of such an expression to the form that outbox_event.columns holds; nullptr means that
  // it already has that form.
  std::vector<std::string> columns;
  std::function<std::string(std::size_t column, const std::string& value)> written;

  // The changes that operators can make.
  Change requeue, discard, discard_blocked, retry_now;

  // Replaces the placeholders of the fragments above: [text], [integer], [div], [lock], [dual], [now], [shown now],
  // [later], [left], [stamp], [namesake], [same failure], [event id], [behind] and [estimate]; then those of
  // Tables::In.
  [[nodiscard]] std::string In(const Tables& tables, std::string_view sql) const;
};

}  // namespace outbox::sql
