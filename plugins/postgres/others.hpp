// What PostgreSQL's catalogue says about the tables that breaks a promise, or may: what somebody has added to them, how
// they are stored, what replicates them. What migrate makes is no finding.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "outbox/adapter.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// `oids` by name; tables that are missing there are not looked at.
std::vector<Finding> FindOthers(sql::Statements& db, const sql::Tables& tables,
                                const std::map<std::string, std::string>& oids);

// Rows that no read reaches, as they are numbered below the first id that is read.
std::vector<Finding> FindLowIds(sql::Statements& db, const sql::Tables& tables);

// Throws BAD_CONFIG with the first of these.
void RequireNoLowIds(sql::Statements& db, const sql::Tables& tables);

}  // namespace outbox::postgres
