// How much waits, and since when: the part of outbox.stats/1 that all dialects share.
#pragma once

#include <functional>
#include <string>

#include "outbox/adapter.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::sql {

// Fragments of SQL. `e` is an event in the outbox, `r` a failure. A time is microseconds since 1970 UTC, a text for ParseTime,
// or NULL where it is not known.
struct CountDialect {
  std::string text;  // type to cast to for text
  std::string now;   // time
  std::function<std::string(const std::string& column)> time;
  std::string same_failure;  // " and ..." after r.row_id = e.id, as ids come again after a TRUNCATE; "" = they do not
  std::string
      behind;  // condition: r is a failure of the key of e, of an earlier row; one that its index on keys serves
  std::string estimate;  // rows of {event}, by the server's statistics or by ids; may be old, or far off
};

// Fills backlog, backlog_precision, retrying, blocked, dead and oldest_age. The cost is bounded: no more than 100 000 rows of the
// outbox are visited.
void ReadCounts(Statements& db, const Tables& tables, const CountDialect& dialect, Statistics& stats);

}  // namespace outbox::sql
