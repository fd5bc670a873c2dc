// Rows that the relay's role does not see. Row-level security hides them without an error: what is hidden from a SELECT is
// never sent, what is hidden from a DELETE is sent again and again, and a hidden retry lets the next event of its key go.
#pragma once

#include <string>
#include <vector>

#include "outbox/adapter.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// Computed from the policies and the role, not from what is seen: `relations` are the tables as SQL finds them. Policies
// that do not apply to the role (a superuser, BYPASSRLS, an owner without FORCE) hide nothing, nor does using (true).
// Anything else may hide rows, now or later.
std::vector<Finding> FindHiddenRows(sql::Statements& db, const sql::Tables& tables);

// Throws BAD_CONFIG with the first of these. Tables that are missing are no business of this.
void RequireAllRows(sql::Statements& db, const sql::Tables& tables);

}  // namespace outbox::postgres
