// Findings about a captured table and about the trigger that copies the rows inserted into it. Each database queries
// its own catalogue; the wording of the findings is shared.
#pragma once

#include <string>
#include <vector>

#include "outbox/adapter.hpp"
#include "sql/tables.hpp"

namespace outbox::sql {

// The captured table and its trigger, as the catalogue of the database describes them.
struct CaptureState {
  bool there = false;                // true if an object with the table's name exists
  std::string is_instead;            // kind of the object if it is not a table, such as "a view"; "" = it is a table
  std::vector<std::string> columns;  // names of all columns of the table

  std::string trigger;  // name of the trigger, for messages
  bool has_trigger = false;
  std::string elsewhere;             // other tables that have the trigger, for messages; "" = none
  std::string enable;                // SQL that enables the trigger; "" = it is already enabled
  std::string mark;                  // mark that the trigger carries, see Source::Mark
  std::vector<Finding> others = {};  // findings that are specific to one kind of database
};

// Returns the findings for this state. `ignore_case` is true if the database ignores case when it compares column
// names. REQUIRES: there is a captured table.
[[nodiscard]] std::vector<Finding> FindingsOf(const Tables& t, const CaptureState& state, bool ignore_case);
// Checks that no finding is an error. Errors: throws OUTBOX_BAD_CONFIG with the first finding that is one. `server` is
// the name of the database product, for messages.
void RequireCapture(const std::vector<Finding>& findings, const std::string& server);

// Checks, for `migrate --remove-capture`, that the options name a captured table. Errors: throws OUTBOX_BAD_CONFIG if
// they name none.
void RequireCaptured(const Tables& t);

// Throws OUTBOX_BAD_CONFIG because the captured table has no column `column`; DescribeColumns calls it. `columns` are
// the names of the columns that the table has.
[[noreturn]] void RefuseColumn(const Tables& t, const MappedColumn& column, const std::vector<std::string>& columns);

}  // namespace outbox::sql
