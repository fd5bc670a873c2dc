// What an operator is shown of an event: the list of outbox.admin/1 in SQL that all dialects share.
#pragma once

#include <functional>
#include <string>

#include "outbox/adapter.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::sql {

// Fragments of SQL. `e` is the event, in the outbox or among the dead, `r` its failure, `m` the meta table's row. A time
// is microseconds since 1970 UTC, or a text for ParseTime.
struct RecordDialect {
  using Of = std::function<std::string(const std::string& column)>;
  std::string integer, text;  // types to cast to, for an id and for text
  Of bytes;                   // of text, so that no byte is lost on the way
  Of text_of;                 // of text, as LIKE can compare it
  bool hex = true;            // `bytes`, `payload` and headers come as hexadecimal digits
  Of time;
  std::string now, next_try;  // times
  std::string event_id;       // as text
  std::string same_event;     // condition: the parameter :event is e's
  Of same_key;                // condition: the parameter :key is the column's
  std::string same_failure;   // " and ...", as ids come again after a TRUNCATE; "" = they do not
  std::string shard;          // of e
  std::string payload, payload_size;
  std::string headers = "e.headers";
};

void ListRecords(Statements& db, const Tables& tables, const RecordDialect& dialect, const Query& query,
                 const std::function<bool(Record&)>& found);

}  // namespace outbox::sql
