// Finds in the server's catalogue everything that breaks a promise of the relay, or may break one: objects that
// somebody has added to the tables, tables that are stored in an unsuitable way, and objects that the relay's user
// cannot see. Objects that migrate creates are not findings.
#pragma once

#include <string>
#include <vector>

#include "mysql/client.hpp"
#include "outbox/adapter.hpp"
#include "sql/tables.hpp"

namespace outbox::mysql {

// Finds views that have the name of a table of the outbox: rows that a view leaves out are never sent, and the
// privileges of the view's definer decide which rows the view returns. Also finds tables that are hidden by a temporary
// table of the session.
std::vector<Finding> FindViews(sql::Statements& db, const sql::Tables& tables);

// Finds rows with ids below 1, which no read reaches.
std::vector<Finding> FindLowIds(sql::Statements& db, const sql::Tables& tables);

// Checks that FindViews() and FindLowIds() find nothing. Errors: throws OUTBOX_BAD_CONFIG with the first finding.
void RequireAllRows(sql::Statements& db, const sql::Tables& tables);

// Finds all problems that FindViews() and FindLowIds() do not check. `user` is the user of the session in the form
// 'name'@'host', as in a GRANT statement.
std::vector<Finding> FindOthers(Client& db, const sql::Tables& tables, const std::string& user);

// Returns SQL that corrects an outbox whose column id has the unsuitable type `type`, such as a UUID. The SQL renames
// this column to event_id if `becomes_event_id` is true, otherwise to old_id, and adds a new column id.
std::string FixWrongId(sql::Statements& db, const sql::Tables& tables, const std::string& type, bool becomes_event_id);

}  // namespace outbox::mysql
