// What can be wrong with the tables that are there.
#pragma once

#include <vector>

#include "outbox/adapter.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

std::vector<Finding> CheckSchema(sql::Statements& db, const sql::Tables& tables);

}  // namespace outbox::postgres
