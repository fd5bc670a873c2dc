// The SQL fragments of PostgreSQL.
#pragma once

#include "postgres/columns.hpp"
#include "sql/dialect.hpp"

namespace outbox::postgres {

[[nodiscard]] const sql::Dialect& Dialect();
// Returns the fragments for an outbox whose columns have these types.
[[nodiscard]] sql::Dialect DialectFor(const EventColumns& columns);

}  // namespace outbox::postgres
