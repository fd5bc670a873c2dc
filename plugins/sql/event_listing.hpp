// Lists events for operators: the list function of outbox.admin/1, in SQL that all dialects share.
#pragma once

#include <functional>

#include "outbox/adapter.hpp"
#include "sql/dialect.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::sql {

void ListRecords(Statements& db, const Tables& tables, const Dialect& dialect, const Query& query,
                 const std::function<bool(Record&)>& found);

}  // namespace outbox::sql
