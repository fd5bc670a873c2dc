// Provides the SQL fragments in which SQLite differs from other databases.
#pragma once

#include "sql/dialect.hpp"

namespace outbox::sqlite {

[[nodiscard]] const sql::Dialect& Dialect();

}  // namespace outbox::sqlite
