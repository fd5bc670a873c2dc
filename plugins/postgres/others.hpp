// Findings about the tables in PostgreSQL's catalogue that break a promise of the relay, or may break it: what others
// have added to the tables, how they are stored, and what replicates them. What migrate itself creates is not a
// finding.
#pragma once

#include <vector>

#include "outbox/adapter.hpp"
#include "sql/schema.hpp"

namespace outbox::postgres {

// Checks the tables that were found.
std::vector<Finding> FindOthers(sql::Statements& db, const sql::Tables& tables, const sql::FoundTables& found);

// Reports rows that no read reaches, because their ids are below the first id that is read.
std::vector<Finding> FindLowIds(sql::Statements& db, const sql::Tables& tables);

// Errors: throws OUTBOX_BAD_CONFIG with the first of these findings.
void RequireNoLowIds(sql::Statements& db, const sql::Tables& tables);

}  // namespace outbox::postgres
