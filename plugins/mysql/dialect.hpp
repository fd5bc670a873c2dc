// Provides the SQL fragments in which MySQL and MariaDB differ from other databases.
#pragma once

#include "sql/dialect.hpp"

namespace outbox::mysql {

[[nodiscard]] const sql::Dialect& Dialect();

}  // namespace outbox::mysql
