// What can be wrong with the connection, the server, the tables that are there and the rights to them. Changes nothing,
// and leaves nothing in the session.
#pragma once

#include <vector>

#include "outbox/adapter.hpp"
#include "postgres/client.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// `connection` is the connection string, for a second connection where there is a pooler.
std::vector<Finding> CheckSchema(Client& db, const sql::Tables& tables, const std::string& connection, Millis timeout);

}  // namespace outbox::postgres
