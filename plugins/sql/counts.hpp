// The size and the age of the backlog: the part of outbox.stats/1 that is the same for all dialects.
#pragma once

#include "outbox/adapter.hpp"
#include "sql/dialect.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::sql {

// Fills in backlog, backlog_precision, retrying, blocked, dead, undeletable and oldest_age. The cost is bounded: at
// most 100 000 rows of the outbox are visited.
void ReadCounts(Statements& db, const Tables& tables, const Dialect& dialect, Statistics& stats);

}  // namespace outbox::sql
