// The findings about a captured table and the trigger that copies its inserted rows. Each database queries its own
// catalogue; the wording of the findings is shared.
#pragma once

#include <string>
#include <vector>

#include "outbox/adapter.hpp"
#include "sql/tables.hpp"

namespace outbox::sql {

// What the catalogue says about the captured table.
struct CaptureState {
  bool there = false;                // something with the table's name exists
  std::string is_instead;            // what it is if it is not a table, such as "a view"; "" = it is a table
  std::vector<std::string> columns;  // the names of all its columns

  std::string trigger;  // the trigger's name, for messages
  bool has_trigger = false;
  std::string elsewhere;             // other tables that have the trigger, for messages; "" = none
  std::string enable;                // SQL that enables the trigger; "" = it is enabled
  std::string mark;                  // the mark in the trigger, see Source::Mark
  std::vector<Finding> others = {};  // findings that only this database can make
};

// Returns the findings for this state. `ignore_case`: the database ignores case when it compares column names.
// REQUIRES: there is a captured table.
[[nodiscard]] std::vector<Finding> FindingsOf(const Tables& t, const CaptureState& state, bool ignore_case);
// Errors: throws OUTBOX_BAD_CONFIG with the first error among the findings. `server` is the name of the database
// product, for messages.
void RequireCapture(const std::vector<Finding>& findings, const std::string& server);

// Used by `migrate --remove-capture`. Errors: throws OUTBOX_BAD_CONFIG if the options name no captured table.
void RequireCaptured(const Tables& t);

// Throws OUTBOX_BAD_CONFIG for a column that the captured table does not have, for DescribeColumns. `columns` are the
// columns that it has.
[[noreturn]] void RefuseColumn(const Tables& t, const MappedColumn& column, const std::vector<std::string>& columns);

}  // namespace outbox::sql
