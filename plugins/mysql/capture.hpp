// Captures a table of the application: a trigger copies each inserted row into an outbox of the relay's own.
//
// Copies are texts or bytes. The type of a copy holds every value that the captured column can hold, even after that
// column was made wider: an insert of the application must neither fail nor be truncated because of the contents of a
// row. Times become text in UTC.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mysql/client.hpp"
#include "outbox/adapter.hpp"
#include "sql/capture.hpp"
#include "sql/schema.hpp"
#include "sql/tables.hpp"

namespace outbox::mysql {

// REQUIRES for all functions of this file: `tables` has a captured table.

// The captured table, its columns and the trigger, as the catalogue describes them. The relay's user may lack the
// privilege to see them. Two procedures therefore run with the privileges of the user who ran `migrate`: one returns
// this information, and the other tries whether its owner may insert copies.
struct SourceLook {
  struct Column {
    std::string name, data_type, type, character_set;
    bool nullable = true;
    std::int32_t scale = -1;
    std::string comment = {};
  };
  struct Trigger {
    std::string table, statement, sql_mode, definer, event;
  };
  bool there = false;
  std::string table_type, engine;
  std::vector<Column> columns;  // the columns of the captured table, in their order
  std::vector<Column> copies;   // all columns of the outbox
  std::optional<Trigger> trigger;
  // The owner of the procedures.
  std::string owner;
  // The error, if the procedure that returns this information could not be called. The members above then describe only
  // what the relay's user can see. `why` is the reason in the server's words.
  std::optional<Error> unavailable;
  std::string why;
};
// Returns the answer of the procedure or, if the procedure cannot be called, the result of LookDirectly(). Errors:
// throws OUTBOX_BAD_CONFIG if the owner of the procedure does not exist.
[[nodiscard]] SourceLook LookAtSource(Client& client, const sql::Tables& tables);
// Returns what the relay's user can see in the catalogue without the procedure.
[[nodiscard]] SourceLook LookDirectly(Client& client, const sql::Tables& tables);

// The way in which a mapped column is copied.
struct MappedType {
  // True if the type is known, because the column was found in the captured table, or its copy in the outbox.
  bool found = false;
  std::string type, copy;  // the types of the column and of its copy
  std::string comment;     // the comment of the copy
  std::int32_t kind = OUTBOX_COLUMN_OTHER;
  bool nullable = true;
  std::int32_t scale = -1;
  // SQL expressions of the trigger: the copy, and the column as a key and as a payload.
  std::string value, key, payload;
};
// Returns one entry for each mapped column. The types are those of the captured table or, if this user cannot see that
// table, those that are known from the copies.
[[nodiscard]] std::vector<MappedType> TypesOf(const sql::Tables& tables, const SourceLook& look);
// Returns the entries of TypesOf() for a table that must exist. Errors: throws OUTBOX_BAD_CONFIG if the table does not
// exist, cannot be seen by this user, is a view, or lacks a column.
[[nodiscard]] std::vector<MappedType> RequireTypes(const sql::Tables& tables, const SourceLook& look);

// Returns the SQL expressions that read the copies from the outbox with the alias e, one for each mapped column; "null"
// for the payload.
[[nodiscard]] std::vector<std::string> ReadColumns(const sql::Tables& tables, const std::vector<MappedType>& types);
// Converts a value, which one of the expressions of ReadColumns() has returned, to the form of outbox_event.columns.
[[nodiscard]] std::string Written(const MappedType& type, const std::string& value);

// Changes the types of the outbox's columns to those that captured rows need, and adds the copies to the outbox and to
// the dead letters.
void AddCaptured(std::vector<sql::Table>& wanted, const sql::Tables& tables, const std::vector<MappedType>& types);

// Returns a text as an SQL literal whose meaning depends on no setting of the session.
[[nodiscard]] std::string Quoted(const std::string& text);

// A procedure, with the SQL that creates it.
struct Procedure {
  std::string name, create;
};
[[nodiscard]] std::vector<Procedure> Procedures(const sql::Tables& tables);
// CreateTrigger() and ReplaceTrigger() return statements without a semicolon at the end. While a trigger is replaced
// the captured table is locked, so that no row is inserted without a trigger.
[[nodiscard]] std::string CreateTrigger(const sql::Tables& tables, const std::vector<MappedType>& types);
[[nodiscard]] std::string ReplaceTrigger(const sql::Tables& tables, const SourceLook& look,
                                         const std::vector<MappedType>& types);
// Returns true if the trigger that was found is the one that CreateTrigger() would create.
[[nodiscard]] bool IsRight(const Client& client, const sql::Tables& tables, const SourceLook& look,
                           const std::vector<MappedType>& types);
// Returns the statements that end the capture. The relay's own tables stay.
[[nodiscard]] std::string EndCaptureSql(const sql::Tables& tables);

// Returns the findings about the captured table and its trigger.
[[nodiscard]] std::vector<Finding> FindCapture(Client& client, const sql::Tables& tables);
// Checks that the owner of the procedures exists and may insert copies. Returns no finding if this user cannot call the
// procedure that tries it.
[[nodiscard]] std::vector<Finding> FindOwnerRights(Client& client, const sql::Tables& tables);

}  // namespace outbox::mysql
