// Finds in the schema of the file everything that breaks a promise of the relay, or may break one: objects that
// somebody has added to the tables. Objects that migrate creates are not findings.
#pragma once

#include <vector>

#include "outbox/adapter.hpp"
#include "sql/tables.hpp"
#include "sqlite/connection.hpp"

namespace outbox::sqlite {

// SQL that creates a temporary table which accepts only true values. A fix uses the table to stop a transaction, even
// if somebody pastes the fix into a client that continues after an error: `insert or rollback` of a false value into
// this table rolls back the transaction.
#define OUTBOX_EXPECT_ALL "create temporary table if not exists outbox_moved (all_rows check (all_rows));"

// Finds views and virtual tables that have the name of a table of the outbox.
std::vector<Finding> FindViews(Connection& connection, const sql::Tables& tables);

// Finds rows with ids below 1, which no read reaches.
std::vector<Finding> FindLowIds(Connection& db, const sql::Tables& tables);

// Finds the problems that FindViews() and FindLowIds() do not check: triggers, constraints, indexes, foreign keys, and
// writes of the relay that SQLite cannot prepare.
std::vector<Finding> FindOthers(Connection& connection, const sql::Tables& tables);

}  // namespace outbox::sqlite
