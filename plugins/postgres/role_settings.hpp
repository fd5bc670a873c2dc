// Faults that a setting of the role, of the database or of the connection makes in a session, while server and tables
// are as they should be: where the setting comes from, and how to fix it there.
#pragma once

#include <string>

#include "outbox/event.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// Why transactions of this session are read-only: the server is a standby, or what has set
// default_transaction_read_only. The relay does not override that setting: operators and hosting providers set it to
// stop writes, for example while the disk is full.
Error WhyReadOnly(sql::Statements& db);

// How to fix that a table of the outbox is not there: by `migrate`, or, where `given` names no schema and search_path
// leads past the outbox or to no schema at all, by naming the schema or correcting the setting.
std::string FixMissingTable(sql::Statements& db, const sql::Tables& given);

// Throws BAD_CONFIG if `given` names no schema and there is none in which the session would create a table.
void RequireSchema(sql::Statements& db, const sql::Tables& given);

}  // namespace outbox::postgres
