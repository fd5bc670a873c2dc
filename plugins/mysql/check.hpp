// Checks the tables, the server and the grants, and changes nothing.
#pragma once

#include <vector>

#include "mysql/client.hpp"
#include "outbox/adapter.hpp"
#include "sql/tables.hpp"

namespace outbox::mysql {

std::vector<Finding> CheckSchema(Client& client, const sql::Tables& tables);

}  // namespace outbox::mysql
