// MySQL and MariaDB: their fragments of SQL.
#pragma once

#include "sql/dialect.hpp"

namespace outbox::mysql {

[[nodiscard]] const sql::Dialect& Dialect();

}  // namespace outbox::mysql
