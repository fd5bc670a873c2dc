// Describes who holds a lock that a statement could not obtain: "pid 4711, user shop, application psql, in a
// transaction since ...". A role may not be allowed to see all of this about the sessions of other users.
#pragma once

#include <string>

#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// Returns who holds, or waits for, a lock on the whole outbox that makes others wait; "" = nobody.
[[nodiscard]] std::string TableHolder(sql::Statements& db, const sql::Tables& tables);
// Returns whose transaction has locked this row; "" = nobody.
[[nodiscard]] std::string RowHolder(sql::Statements& db, const sql::Tables& tables, long long id);

}  // namespace outbox::postgres
