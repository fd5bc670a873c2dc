// Captures a table of the application: a trigger copies each inserted row into an outbox of the relay's own.
//
// A captured column is copied as text or bytes. The type of the copy holds every value that the captured column can
// hold, even if the captured column was made wider after the copy was created: an insert of the application must
// neither fail nor be truncated because of the contents of a row. Times become text in UTC.
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
// this description, and the other checks whether that user can insert into the outbox.
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
  // Set if the procedure that returns the description could not be called. The members above then contain only objects
  // that the relay's user can see. `why` is the server's error message.
  std::optional<Error> unavailable;
  std::string why;
};
// Returns the description from the procedure or, if the procedure cannot be called, the result of LookDirectly().
// Errors: throws OUTBOX_BAD_CONFIG if the user who owns the procedure does not exist.
[[nodiscard]] SourceLook LookAtSource(Client& client, const sql::Tables& tables);
// Returns the description that the relay's user can read from the catalogue without the procedure.
[[nodiscard]] SourceLook LookDirectly(Client& client, const sql::Tables& tables);

// Describes how a mapped column is copied.
struct MappedType {
  // True if the type is known, because the column was found in the captured table, or its copy in the outbox.
  bool found = false;
  std::string type, copy;  // the types of the column and of its copy
  std::string comment;     // the comment of the copy
  std::int32_t kind = OUTBOX_COLUMN_OTHER;
  bool nullable = true;
  std::int32_t scale = -1;
  // SQL expressions in the trigger: for the copy of the column, for the event's key, and for the event's payload.
  std::string value, key, payload;
};
// Returns one entry for each mapped column. The types come from the captured table or, if the relay's user cannot see
// the captured table, from the columns that hold the copies.
[[nodiscard]] std::vector<MappedType> TypesOf(const sql::Tables& tables, const SourceLook& look);
// Returns the entries of TypesOf() for a table that must exist. Errors: throws OUTBOX_BAD_CONFIG if the captured table
// does not exist, cannot be seen by the relay's user, is a view, or lacks a column.
[[nodiscard]] std::vector<MappedType> RequireTypes(const sql::Tables& tables, const SourceLook& look);

// Returns the SQL expressions that read the copies from the outbox with the alias e, one for each mapped column; "null"
// for the payload.
[[nodiscard]] std::vector<std::string> ReadColumns(const sql::Tables& tables, const std::vector<MappedType>& types);
// Converts a value that an expression of ReadColumns() has returned to the form of outbox_event.columns.
[[nodiscard]] std::string Written(const MappedType& type, const std::string& value);

// Changes in `wanted` the types of the outbox's columns to the types that captured rows need, and adds the copies to
// the outbox and to the dead letters.
void AddCaptured(std::vector<sql::Table>& wanted, const sql::Tables& tables, const std::vector<MappedType>& types);

// Returns `text` as an SQL literal whose meaning depends on no setting of the session.
[[nodiscard]] std::string Quoted(const std::string& text);

// A procedure, with the SQL that creates it.
struct Procedure {
  std::string name, create;
};
[[nodiscard]] std::vector<Procedure> Procedures(const sql::Tables& tables);
// CreateTrigger() and ReplaceTrigger() return statements without a semicolon at the end. While a trigger is replaced,
// the captured table is locked, so no row is inserted while the trigger is missing.
[[nodiscard]] std::string CreateTrigger(const sql::Tables& tables, const std::vector<MappedType>& types);
[[nodiscard]] std::string ReplaceTrigger(const sql::Tables& tables, const SourceLook& look,
                                         const std::vector<MappedType>& types);
// Returns true if the trigger in `look` is the one that CreateTrigger() would create.
[[nodiscard]] bool IsRight(const Client& client, const sql::Tables& tables, const SourceLook& look,
                           const std::vector<MappedType>& types);
// Returns statements that drop the trigger and its procedures, which ends the capture. The relay's own tables stay.
[[nodiscard]] std::string EndCaptureSql(const sql::Tables& tables);

// Returns the findings about the captured table and its trigger.
[[nodiscard]] std::vector<Finding> FindCapture(Client& client, const sql::Tables& tables);
// Checks that the user who owns the procedures exists and can insert into the outbox. Returns no finding if the relay's
// user cannot call the procedure that tries an insert.
[[nodiscard]] std::vector<Finding> FindOwnerRights(Client& client, const sql::Tables& tables);

}  // namespace outbox::mysql
