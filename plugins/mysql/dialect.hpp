// The SQL fragments for MySQL and MariaDB.
#pragma once

#include "sql/dialect.hpp"

namespace outbox::mysql {

[[nodiscard]] const sql::Dialect& Dialect();

}  // namespace outbox::mysql
