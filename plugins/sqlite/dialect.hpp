// The SQL fragments for SQLite.
#pragma once

#include "sql/dialect.hpp"

namespace outbox::sqlite {

[[nodiscard]] const sql::Dialect& Dialect();

}  // namespace outbox::sqlite
