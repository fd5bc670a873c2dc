// Finds rows that are hidden from the relay's role. Row-level security hides rows without an error: a row that is
// hidden from a SELECT is never sent, a row that is hidden from a DELETE is sent again and again, and a hidden failure
// lets later events of its key be sent.
#pragma once

#include <string>
#include <vector>

#include "outbox/adapter.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// Reports tables that may hide rows. The result is derived from the policies and the role, not from the rows that are
// visible. Policies that do not apply to the role (a superuser, BYPASSRLS, an owner without FORCE) hide nothing, and
// neither does using (true). Any other policy may hide rows, now or later.
std::vector<Finding> FindHiddenRows(sql::Statements& db, const sql::Tables& tables);

// Checks that FindHiddenRows() finds nothing. Errors: throws OUTBOX_BAD_CONFIG with the first finding. Missing tables
// are not reported here.
void RequireAllRows(sql::Statements& db, const sql::Tables& tables);

}  // namespace outbox::postgres
