// What the schema of the file says about the tables that breaks a promise, or may: what somebody has added to them. What
// migrate makes is no finding.
#pragma once

#include <vector>

#include "outbox/adapter.hpp"
#include "sql/tables.hpp"
#include "sqlite/connection.hpp"

namespace outbox::sqlite {

// For a fix that somebody pastes into a client that goes on behind an error: a row that is not true, put into this table by
// insert or rollback, takes the transaction back.
#define OUTBOX_EXPECT_ALL "create temporary table if not exists outbox_moved (all_rows check (all_rows));"

// Tables that are views or virtual.
std::vector<Finding> FindViews(Connection& connection, const sql::Tables& tables);

// Rows that no read reaches, as they are numbered below the first id that is read.
std::vector<Finding> FindLowIds(Connection& db, const sql::Tables& tables);

std::vector<Finding> FindOthers(Connection& connection, const sql::Tables& tables);

}  // namespace outbox::sqlite
