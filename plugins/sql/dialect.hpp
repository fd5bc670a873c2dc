// What one database's SQL says where the shared SQL has a place: a value of fragments, so that what uses it serves a further
// database without a change.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sql/tables.hpp"

namespace outbox::sql {

// Statements of one transaction that change the rows whose ids stand in [ids], as a list with commas. `counted` is the index of
// the one that answers, as text, how many events were changed.
struct Change {
  std::vector<std::string> steps;
  std::size_t counted = 0;
};

// In the fragments `e` is an event, in the outbox or among the dead, `r` its failure, and `m` the meta table's row. Names of
// tables are written as Tables::In takes them.
struct Dialect {
  using Of = std::function<std::string(const std::string& expression)>;

  std::string server;                             // its name, for messages
  std::string text = "text", integer = "bigint";  // types to cast to, for text and for an id
  std::string div = "/";                          // division of whole numbers
  std::string begin = "begin";                    // begins a transaction that inserts events
  std::string lock;               // behind a select: locks the row; "" where every write transaction locks
  std::size_t max_reason = 1000;  // bytes that the column `reason` may hold
  Of limit = [](const std::string& rows) { return "limit " + rows; };  // behind a select: at most so many rows
  std::string dual;  // behind a select that reads no table: " from ...", where one must stand there

  // Moments, as the columns expires, next_try and remove_at keep them.
  std::string now;    // this moment, not the start of the transaction
  std::string later;  // this moment plus the milliseconds of the parameter :ms
  std::string left;   // milliseconds from t.at to r.expires, bigint
  std::string stamp;  // this moment as first_failed, last_failed and died_at keep it

  // Condition: the relay's id r.relay_id is as long as t.me, and begins with t.stem.
  std::string namesake = "length(r.relay_id) = length(t.me) and substr(r.relay_id, 1, length(t.stem)) = t.stem";

  // As microseconds since 1970 UTC, as a text for ParseTime, or NULL where it is not known:
  Of shown;  // a moment
  Of time;   // created_at, first_failed, last_failed or died_at

  // Of a failure. Ids come again after a TRUNCATE, so that a row's id is not enough.
  std::string same_failure;         // " and ..." behind r.row_id = e.id
  std::string event_id = ":event";  // the text :event, as the column event_id of {retry} is compared with
  std::string behind;    // condition: r is a failure of e's key and of an earlier row; its index on keys serves it
  std::string estimate;  // rows of {event}, by the server's statistics or by ids; may be old, or far off

  // What an operator is shown.
  Of bytes;                // of text, so that no byte is lost on the way
  Of text_of;              // of text, as LIKE can compare it
  bool hex = true;         // `bytes` and `payload` come as hexadecimal digits
  std::string shown_id;    // the event id, as text
  std::string same_event;  // condition: the parameter :event is e's
  Of same_key;             // condition: the parameter :key is the column's
  std::string shard;       // of e
  std::string payload, payload_size;
  // Of captured rows: an expression for each of Tables::captured->columns, "null" for that of the payload, with alias e,
  // written like `bytes`, and without places. `written` makes of its value what outbox_event.columns holds; nullptr = it
  // is that already.
  std::vector<std::string> columns;
  std::function<std::string(std::size_t column, const std::string& value)> written;

  // What an operator changes.
  Change requeue, discard, discard_blocked, retry_now;

  // The SQL with what stands above in its places: [text], [integer], [div], [lock], [dual], [now], [shown now], [later],
  // [left], [stamp], [namesake], [same failure], [event id], [behind] and [estimate]; and with those of Tables::In.
  [[nodiscard]] std::string In(const Tables& tables, std::string_view sql) const;
};

}  // namespace outbox::sql
