// How much waits, and since when: the part of outbox.stats/1 that all dialects share.
#pragma once

#include "outbox/adapter.hpp"
#include "sql/dialect.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::sql {

// Fills backlog, backlog_precision, retrying, blocked, dead and oldest_age. The cost is bounded: no more than 100 000 rows of the
// outbox are visited.
void ReadCounts(Statements& db, const Tables& tables, const Dialect& dialect, Statistics& stats);

}  // namespace outbox::sql
