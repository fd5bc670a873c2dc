// Captures a table of the application: a trigger copies each inserted row into an outbox of the relay's own.
//
// A column of SQLite may hold values of any type, whatever its declared type is. The columns of the outbox that hold
// the copies convert nothing, so each value is copied unchanged: an insert of the application must neither fail nor be
// changed because of the contents of a row.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "outbox/adapter.hpp"
#include "sql/capture.hpp"
#include "sql/dialect.hpp"
#include "sqlite/connection.hpp"

namespace outbox::sqlite {

// REQUIRES for all functions of this file: `tables` has a captured table.

// Returns the statements that create the trigger, without semicolons at their ends. The statements replace a trigger of
// the same name, whatever table it is on.
[[nodiscard]] std::vector<std::string> TriggerSql(const sql::Tables& tables);
// Returns the change that the statements of TriggerSql() would make, as a phrase for people; "" = no change.
[[nodiscard]] std::string PlanTrigger(Connection& db, const sql::Tables& tables);
// Returns statements that drop the trigger, which ends the capture. The relay's own tables stay.
[[nodiscard]] std::string EndCaptureSql(const sql::Tables& tables);

// Returns the findings about the captured table and its trigger.
[[nodiscard]] std::vector<Finding> FindCapture(Connection& db, const sql::Tables& tables);
// Checks the captured table. Errors: throws OUTBOX_BAD_CONFIG if the captured table does not exist, is a view or a
// virtual table, or lacks a column.
void RequireColumns(Connection& db, const sql::Tables& tables);

// Sets the kind of each column according to its declared type. If the captured table does not exist any more, the
// values are known only as text, and every kind is OUTBOX_COLUMN_OTHER.
void DescribeColumns(Connection& db, const sql::Tables& tables, std::vector<outbox::Column>& columns);

// Converts the values of captured rows to the form of outbox_event.columns. A reader uses one object for all its rows,
// one row after the other, because the object owns the memory to which the values of the current row point.
class ColumnValues {
 public:
  explicit ColumnValues(const sql::Tables& tables);
  // Returns the values of a row whose copies begin at the column `first`. The values are valid until the next call of
  // At(), and only while `row` stays at its current row.
  std::span<const outbox_bytes> At(const Prepared& row, int first);

 private:
  // For each mapped column, the position of its copy among the copies of a row; -1 = the column is the payload.
  std::vector<int> mapped_;
  std::vector<outbox_bytes> of_copies_, values_;
  std::vector<std::array<char, 32>> digits_;
};

// Adds the captured columns to `dialect`, for a list that is read through `db`, and registers with `db` the SQL
// function that the expressions of these columns call.
void ListColumns(Connection& db, const sql::Tables& tables, sql::Dialect& dialect);

}  // namespace outbox::sqlite
