// Rows of a table of the application's, copied by a trigger into the relay's own outbox.
//
// Copies are texts and bytes, of types that hold whatever the source's column can hold, also after it was made wider: an insert
// of the application's must neither fail nor be cut for what a row holds. Times become text in UTC.
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

// Everything here REQUIRES that `tables` has a captured table.

// The captured table, its columns and the trigger, as they are. This user may see neither, so two procedures that belong to
// the one who ran `migrate` tell of them: one shows the catalogue, the other one tries whether its owner may insert copies.
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
  std::vector<Column> columns;  // in their order
  std::vector<Column> copies;   // all columns of the outbox
  std::optional<Trigger> trigger;
  std::string owner;                 // of the procedures
  std::optional<Error> unavailable;  // why the procedure could not be asked; what this user sees stands above then
  std::string why;                   // likewise, in the server's words
};
// Errors: OUTBOX_BAD_CONFIG where the owner of the procedure does not exist.
[[nodiscard]] SourceLook LookAtSource(Client& client, const sql::Tables& tables);
// What this user sees, without the procedures.
[[nodiscard]] SourceLook LookDirectly(Client& client, const sql::Tables& tables);

// One for each mapped column.
struct MappedType {
  bool found = false;
  std::string type, copy;  // of the column, and of its copy
  std::string comment;     // of the copy
  std::int32_t kind = OUTBOX_COLUMN_OTHER;
  bool nullable = true;
  std::int32_t scale = -1;
  std::string value, key, payload;  // SQL of a trigger: the copy, and the column as a key and as a payload
};
// Of the captured table; where that cannot be seen, of the copies.
[[nodiscard]] std::vector<MappedType> TypesOf(const sql::Tables& tables, const SourceLook& look);
// Likewise. Throws OUTBOX_BAD_CONFIG where the table is missing, is not shown to this user, is a view, or lacks a column.
[[nodiscard]] std::vector<MappedType> RequireTypes(const sql::Tables& tables, const SourceLook& look);

// As copies are read: SQL with the alias e for each mapped column, "null" for the payload.
[[nodiscard]] std::vector<std::string> ReadColumns(const sql::Tables& tables, const std::vector<MappedType>& types);
// What outbox_event.columns holds of a value that was read.
[[nodiscard]] std::string Written(const MappedType& type, const std::string& value);

// Gives the outbox its types, and adds the copies to it and to the dead letters.
void AddCaptured(std::vector<sql::Table>& wanted, const sql::Tables& tables, const std::vector<MappedType>& types);

// A text as a literal that no setting changes.
[[nodiscard]] std::string Quoted(const std::string& text);

struct Procedure {
  std::string name, create;
};
[[nodiscard]] std::vector<Procedure> Procedures(const sql::Tables& tables);
// Statements without a semicolon at their end. While a trigger is replaced, the table is locked: no row is inserted without one.
[[nodiscard]] std::string CreateTrigger(const sql::Tables& tables, const std::vector<MappedType>& types);
[[nodiscard]] std::string ReplaceTrigger(const sql::Tables& tables, const SourceLook& look,
                                         const std::vector<MappedType>& types);
// Is the trigger that was found the one that would be made?
[[nodiscard]] bool IsRight(const Client& client, const sql::Tables& tables, const SourceLook& look,
                           const std::vector<MappedType>& types);
// The statements that end the capture. The relay's tables stay.
[[nodiscard]] std::string EndCaptureSql(const sql::Tables& tables);

[[nodiscard]] std::vector<Finding> FindCapture(Client& client, const sql::Tables& tables);
// Is the owner of the procedures there, and may he insert copies? Nothing is found where this user may not ask.
[[nodiscard]] std::vector<Finding> FindOwnerRights(Client& client, const sql::Tables& tables);

}  // namespace outbox::mysql
