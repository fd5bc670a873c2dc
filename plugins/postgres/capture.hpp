// Rows of a table of the application's, copied by a trigger into the relay's own outbox. The statements of `migrate` ask the
// catalogue for the types of the columns themselves, so that the same text can be printed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "outbox/adapter.hpp"
#include "sql/capture.hpp"
#include "sql/schema.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// Everything here REQUIRES that `tables` has a captured table.

// "name", or where the name holds anything but letters, digits, blanks, - and _: U&"\005Bname". Such a name never looks like a
// place or a parameter in our SQL.
[[nodiscard]] std::string QuoteColumn(std::string_view name);

// One for each mapped column.
struct MappedType {
  bool found = false;
  std::string type, copy;  // of the column, and of its copy; the copy of the payload is the outbox's own column
  std::int32_t kind = OUTBOX_COLUMN_OTHER;
  bool nullable = true;
  std::int32_t scale = -1;
  bool small = false;  // a value has at most about a thousand characters
};
// Of the captured table; where that is not there, of the copies.
[[nodiscard]] std::vector<MappedType> FindTypes(sql::Statements& db, const sql::Tables& tables);
// Likewise, and throws OUTBOX_BAD_CONFIG for a column or a table that is missing.
[[nodiscard]] std::vector<MappedType> RequireTypes(sql::Statements& db, const sql::Tables& tables);
// AddCopies, of those whose type is known.
void AddCopies(std::vector<sql::Table>& wanted, const sql::Tables& tables, const std::vector<MappedType>& types);

// SQL with the type that the payload is to have, as text.
[[nodiscard]] std::string PayloadTypeSql(const sql::Tables& tables);
// DO blocks. The first adds copies that are missing, the second makes the function and the trigger. Both end with an error
// where the captured table is not as it should be.
[[nodiscard]] std::string AddCopiesSql(const sql::Tables& tables);
[[nodiscard]] std::string TriggerSql(const sql::Tables& tables);
// For people, what TriggerSql would change; "" = nothing.
[[nodiscard]] std::string PlanTrigger(sql::Statements& db, const sql::Tables& tables);
// The statements that end the capture. The relay's tables stay.
[[nodiscard]] std::string EndCaptureSql(const sql::Tables& tables);
// To be run before it, in its transaction: takes the trigger away, and notes the position in the write-ahead log.
[[nodiscard]] std::string NotedEndSql(const sql::Tables& tables);
// That position; "" = none was noted.
[[nodiscard]] std::string WhereCaptureEnded(sql::Statements& db, const sql::Tables& tables);

// In one statement.
[[nodiscard]] sql::CaptureState LookAtCapture(sql::Statements& db, const sql::Tables& tables);

}  // namespace outbox::postgres
