// Finds in the schema of the file everything that breaks a promise of the relay, or may break one: objects that
// somebody has added to the tables. Objects that migrate creates are not findings.
#pragma once

#include <vector>

#include "outbox/adapter.hpp"
#include "sql/tables.hpp"
#include "sqlite/connection.hpp"

namespace outbox::sqlite {

// SQL that creates a table for fixes that somebody may paste into a client which continues after an error. `insert or
// rollback` of a false value into this table rolls back the transaction.
#define OUTBOX_EXPECT_ALL "create temporary table if not exists outbox_moved (all_rows check (all_rows));"

// Finds views and virtual tables in the place of tables.
std::vector<Finding> FindViews(Connection& connection, const sql::Tables& tables);

// Finds rows that no read reaches, because their ids are below the first id that is read.
std::vector<Finding> FindLowIds(Connection& db, const sql::Tables& tables);

// Finds everything that FindViews() and FindLowIds() do not check: triggers, constraints, indexes, foreign keys, and
// writes that cannot be prepared.
std::vector<Finding> FindOthers(Connection& connection, const sql::Tables& tables);

}  // namespace outbox::sqlite
