// The captured table of an outbox on PostgreSQL, whose rows a trigger copies into the outbox. The statements of
// `migrate` query the catalogue for the types of the columns themselves, so that the same text can be printed as a
// script.
//
// REQUIRES for all functions here with a parameter `tables`: there is a captured table.
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

// Quotes a column's name: "name", or, if it contains anything but letters, digits, blanks, - and _, in the form
// U&"\005Bname". So a name never looks like a placeholder or a parameter in the SQL of the relay.
[[nodiscard]] std::string QuoteColumn(std::string_view name);

// The type of one mapped column.
struct MappedType {
  bool found = false;
  std::string type, copy;  // the types of the column and of its copy; the payload is copied to the column `payload`
  std::int32_t kind = OUTBOX_COLUMN_OTHER;
  bool nullable = true;
  std::int32_t scale = -1;
  bool small = false;  // true if a value has at most about a thousand characters
};
// Returns the types of the columns of the captured table or, if that table does not exist, those of their copies.
[[nodiscard]] std::vector<MappedType> FindTypes(sql::Statements& db, const sql::Tables& tables);
// Returns the types of the columns of the captured table. Errors: throws OUTBOX_BAD_CONFIG if the table or a column
// does not exist.
[[nodiscard]] std::vector<MappedType> RequireTypes(sql::Statements& db, const sql::Tables& tables);
// Calls sql::AddCopies for the copies whose type is known.
void AddCopies(std::vector<sql::Table>& wanted, const sql::Tables& tables, const std::vector<MappedType>& types);

// Returns an SQL expression for the type that the payload must have, as text.
[[nodiscard]] std::string PayloadTypeSql(const sql::Tables& tables);
// AddCopiesSql() and TriggerSql() return DO blocks. The first one adds missing copies, the second one creates the
// function and the trigger. Both blocks raise an error if the captured table does not fulfil the requirements.
[[nodiscard]] std::string AddCopiesSql(const sql::Tables& tables);
[[nodiscard]] std::string TriggerSql(const sql::Tables& tables);
// Returns the change that the block of TriggerSql() would make, as a phrase for people; "" = no change.
[[nodiscard]] std::string PlanTrigger(sql::Statements& db, const sql::Tables& tables);
// Returns the statements that end the capture. The relay's tables stay.
[[nodiscard]] std::string EndCaptureSql(const sql::Tables& tables);
// Returns a statement that drops the trigger and records the present position in the write-ahead log. REQUIRES: the
// statement runs before EndCaptureSql, in the same transaction.
[[nodiscard]] std::string NotedEndSql(const sql::Tables& tables);
// Returns the position that the statement of NotedEndSql() has recorded; "" = none was recorded.
[[nodiscard]] std::string WhereCaptureEnded(sql::Statements& db, const sql::Tables& tables);

// Reads the state of the capture with one statement.
[[nodiscard]] sql::CaptureState LookAtCapture(sql::Statements& db, const sql::Tables& tables);

}  // namespace outbox::postgres
