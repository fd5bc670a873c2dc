// What PostgreSQL's catalogue says about the tables that breaks a promise, or may: what somebody has added to them, how
// they are stored, what replicates them. What migrate makes is no finding.
#pragma once

#include <vector>

#include "outbox/adapter.hpp"
#include "sql/schema.hpp"

namespace outbox::postgres {

// Of the tables that were found.
std::vector<Finding> FindOthers(sql::Statements& db, const sql::Tables& tables, const sql::FoundTables& found);

// Rows that no read reaches, as they are numbered below the first id that is read.
std::vector<Finding> FindLowIds(sql::Statements& db, const sql::Tables& tables);

// Throws BAD_CONFIG with the first of these.
void RequireNoLowIds(sql::Statements& db, const sql::Tables& tables);

}  // namespace outbox::postgres
