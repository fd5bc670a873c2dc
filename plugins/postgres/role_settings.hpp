// Faults of a session that are caused by a setting of the role, of the database or of the connection, while the server
// and the tables are in order. The functions determine where the setting was made and how to correct it there.
#pragma once

#include <string>

#include "outbox/event.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// Returns why transactions of this session are read-only: the server is a standby, or default_transaction_read_only
// was set somewhere. The relay does not override that setting, because operators and hosting providers set it to stop
// writes, for example while the disk is full.
Error WhyReadOnly(sql::Statements& db);

// Returns the fix for a missing table of the outbox: to run `migrate` or, if `given` names no schema and search_path
// leads past the outbox or to no schema at all, to name the schema or to correct the setting.
std::string FixMissingTable(sql::Statements& db, const sql::Tables& given);

// Checks that there is a schema for new tables. Errors: throws OUTBOX_BAD_CONFIG if `given` names no schema and the
// session has no schema in which it creates tables.
void RequireSchema(sql::Statements& db, const sql::Tables& given);

}  // namespace outbox::postgres
