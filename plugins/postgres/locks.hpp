// Who has what a statement waited for in vain: "pid 4711, user shop, application psql, in a transaction since ...". Of other
// users' sessions a role may see less.
#pragma once

#include <string>

#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// Who has, or waits for, a lock of the whole outbox that others have to wait for. Empty: nobody.
[[nodiscard]] std::string TableHolder(sql::Statements& db, const sql::Tables& tables);
// Whose transaction has locked this row.
[[nodiscard]] std::string RowHolder(sql::Statements& db, const sql::Tables& tables, long long id);

}  // namespace outbox::postgres
