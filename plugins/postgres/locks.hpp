// Describes the session that holds a lock which a statement could not obtain: "pid 4711, user shop, application psql,
// in a transaction since ...". A role may lack the privilege to see all of this information about sessions of other
// users.
#pragma once

#include <string>

#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// Describes the session that holds, or waits for, a lock on the whole outbox, and so makes other sessions wait; "" =
// there is none.
[[nodiscard]] std::string TableHolder(sql::Statements& db, const sql::Tables& tables);
// Describes the session whose transaction has locked this row; "" = there is none.
[[nodiscard]] std::string RowHolder(sql::Statements& db, const sql::Tables& tables, long long id);

}  // namespace outbox::postgres
