// Ids rise with the order of insertion, never come again, and do not run out.
#pragma once

#include <string>
#include <vector>

#include "outbox/adapter.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// `oid` is the outbox's, `shown` its name for people. Its id is of a type that can be read.
std::vector<Finding> CheckIds(sql::Statements& db, const sql::Tables& tables, const std::string& oid,
                              const std::string& shown);

// SQL for an outbox whose id is of another type, such as a uuid: it becomes the column `kept`.
std::string FixWrongId(const sql::Tables& tables, const std::string& kept);

}  // namespace outbox::postgres
