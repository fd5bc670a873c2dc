// `check` on PostgreSQL: the connection, the server, the existing tables and the privileges on them. It changes
// nothing, and leaves nothing behind in the session.
#pragma once

#include <vector>

#include "outbox/adapter.hpp"
#include "postgres/client.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// `connection` is the connection string. It is used for a second connection if the first one goes through a pooler.
std::vector<Finding> CheckSchema(Client& db, const sql::Tables& tables, const std::string& connection, Millis timeout);

}  // namespace outbox::postgres
