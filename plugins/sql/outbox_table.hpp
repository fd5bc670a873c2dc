// Before migrate makes anything: is the table of the configured name an outbox at all?
#pragma once

#include <string>
#include <vector>

#include "sql/outbox_tables.hpp"
#include "sql/statements.hpp"

namespace outbox::sql {

// `columns`: name and type of each column that the table has; none = there is no table yet, and all is well. `wanted`: the
// columns of an outbox. Throws BAD_CONFIG that says what is missing. An id of a type that has no order is as good as missing:
// its name is followed by its type.
void RequireOutbox(const std::string& shown, const Rows& columns, const std::vector<Column>& wanted,
                   bool (*is_id)(const std::string& type));

}  // namespace outbox::sql
