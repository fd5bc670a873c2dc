// `check` on PostgreSQL: the connection, the server, the existing tables and the privileges on them. It changes
// nothing, and leaves no state behind in the session.
#pragma once

#include <vector>

#include "outbox/adapter.hpp"
#include "postgres/client.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// Performs a `check` and returns its findings. `connection` is the connection string for a second connection, which is
// opened if the first one goes through a pooler. `timeout` limits the wait for that second connection.
std::vector<Finding> CheckSchema(Client& db, const sql::Tables& tables, const std::string& connection, Millis timeout);

}  // namespace outbox::postgres
