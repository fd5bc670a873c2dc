// Findings in PostgreSQL's catalogue that break a promise of the relay, or may break one: objects that others have
// added to the tables, how the tables are stored, and what replicates them. Objects that migrate itself creates are not
// findings.
#pragma once

#include <vector>

#include "outbox/adapter.hpp"
#include "sql/schema.hpp"

namespace outbox::postgres {

// Returns the findings about the tables in `found`.
std::vector<Finding> FindOthers(sql::Statements& db, const sql::Tables& tables, const sql::FoundTables& found);

// Reports rows that no read reaches, because their ids are below the first id that is read.
std::vector<Finding> FindLowIds(sql::Statements& db, const sql::Tables& tables);

// Checks that FindLowIds() finds nothing. Errors: throws OUTBOX_BAD_CONFIG with the first finding.
void RequireNoLowIds(sql::Statements& db, const sql::Tables& tables);

}  // namespace outbox::postgres
