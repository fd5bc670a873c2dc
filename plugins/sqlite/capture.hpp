// Rows of a table of the application's, copied by a trigger into the relay's own outbox.
//
// A column of SQLite's holds a value of any type, whatever it was declared as. Copies have no type of their own, so that each
// value is kept as it is: an insert of the application's must neither fail nor be changed for what a row holds.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "outbox/adapter.hpp"
#include "sql/capture.hpp"
#include "sql/dialect.hpp"
#include "sqlite/connection.hpp"

namespace outbox::sqlite {

// Everything here REQUIRES that `tables` has a captured table.

// Statements without a semicolon at their end. They replace a trigger of this name, on whatever table it is.
[[nodiscard]] std::vector<std::string> TriggerSql(const sql::Tables& tables);
// For people, what they would change; "" = nothing.
[[nodiscard]] std::string PlanTrigger(Connection& db, const sql::Tables& tables);
// The statements that end the capture. The relay's tables stay.
[[nodiscard]] std::string EndCaptureSql(const sql::Tables& tables);

[[nodiscard]] std::vector<Finding> FindCapture(Connection& db, const sql::Tables& tables);
// Throws OUTBOX_BAD_CONFIG where the table is missing, is no table, or lacks a column.
void RequireColumns(Connection& db, const sql::Tables& tables);

// Kinds as the columns are declared. Where there is no captured table any more, nothing but their text is known.
void DescribeColumns(Connection& db, const sql::Tables& tables, std::vector<outbox::Column>& columns);

// The values of captured rows as outbox_event.columns holds them. One for all rows of a reader: it is what they point to.
class ColumnValues {
 public:
  explicit ColumnValues(const sql::Tables& tables);
  // The copies of the row begin at column `first`. Valid until the next call, and as long as the row.
  std::span<const outbox_bytes> At(const Prepared& row, int first);

 private:
  std::vector<int> mapped_;  // for each mapped column the place of its copy; -1 = the payload
  std::vector<outbox_bytes> of_copies_, values_;
  std::vector<std::array<char, 32>> digits_;
};

// The same columns in a list that is made on this connection.
void ListColumns(Connection& db, const sql::Tables& tables, sql::Dialect& dialect);

}  // namespace outbox::sqlite
