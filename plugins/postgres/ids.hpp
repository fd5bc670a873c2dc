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

// An id that is of another type, such as a uuid: what to do instead.
Finding WrongId(const sql::Tables& tables, const std::string& shown, const std::string& type, bool has_event_id);

}  // namespace outbox::postgres
