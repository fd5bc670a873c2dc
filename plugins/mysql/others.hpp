// What the server's catalogue says about the tables that breaks a promise, or may: what somebody has added to them, how they
// are kept, and what this user is not shown. What migrate makes is no finding.
#pragma once

#include <string>
#include <vector>

#include "mysql/client.hpp"
#include "outbox/adapter.hpp"
#include "sql/tables.hpp"

namespace outbox::mysql {

// Tables that are views: rows that they leave out are never sent, and their definer's rights decide what is seen. And tables
// that a temporary one of the session hides.
std::vector<Finding> FindViews(sql::Statements& db, const sql::Tables& tables);

// Rows that no read reaches, as they are numbered below the first id that is read.
std::vector<Finding> FindLowIds(sql::Statements& db, const sql::Tables& tables);

// Throws BAD_CONFIG with the first of both.
void RequireAllRows(sql::Statements& db, const sql::Tables& tables);

// `user` as in a grant.
std::vector<Finding> FindOthers(Client& db, const sql::Tables& tables, const std::string& user);

// SQL for an outbox whose id is of another type, such as a uuid: it becomes the event_id or a column old_id.
std::string FixWrongId(sql::Statements& db, const sql::Tables& tables, const std::string& type, bool becomes_event_id);

}  // namespace outbox::mysql
