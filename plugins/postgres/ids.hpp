// Checks that ids rise in the order of insertion, are never assigned twice, and do not run out.
#pragma once

#include <string>
#include <vector>

#include "outbox/adapter.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// Returns the findings about the ids. `oid` is the oid of the outbox, and `shown` its name for people. REQUIRES: the
// type of the id is one that the relay can read.
std::vector<Finding> CheckIds(sql::Statements& db, const sql::Tables& tables, const std::string& oid,
                              const std::string& shown);

// Returns SQL that fixes an outbox whose id has another type, such as uuid: the old id becomes the column `kept`.
std::string FixWrongId(const sql::Tables& tables, const std::string& kept);

}  // namespace outbox::postgres
