// Finds in the server's catalogue everything that breaks a promise of the relay, or may break one: objects that
// somebody has added to the tables, how the tables are stored, and what this user cannot see. Objects that migrate
// creates are not findings.
#pragma once

#include <string>
#include <vector>

#include "mysql/client.hpp"
#include "outbox/adapter.hpp"
#include "sql/tables.hpp"

namespace outbox::mysql {

// Finds views in the place of tables: rows that a view leaves out are never sent, and the privileges of its definer
// decide which rows it returns. Also finds tables that a temporary table of the session hides.
std::vector<Finding> FindViews(sql::Statements& db, const sql::Tables& tables);

// Finds rows that no read reaches, because their ids are below the first id that is read.
std::vector<Finding> FindLowIds(sql::Statements& db, const sql::Tables& tables);

// Checks that FindViews() and FindLowIds() find nothing. Errors: throws OUTBOX_BAD_CONFIG with the first finding.
void RequireAllRows(sql::Statements& db, const sql::Tables& tables);

// Finds everything that FindViews() and FindLowIds() do not check. `user` is the user of the session in the form of a
// grant.
std::vector<Finding> FindOthers(Client& db, const sql::Tables& tables, const std::string& user);

// Returns SQL that corrects an outbox whose id has another type, such as a UUID: it renames that column to event_id or
// old_id, and adds a new id.
std::string FixWrongId(sql::Statements& db, const sql::Tables& tables, const std::string& type, bool becomes_event_id);

}  // namespace outbox::mysql
