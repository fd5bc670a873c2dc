// Is the trigger that copies inserted rows in its place? Each database looks, and the findings are worded here.
#pragma once

#include <string>
#include <vector>

#include "outbox/adapter.hpp"
#include "sql/tables.hpp"

namespace outbox::sql {

// What the database has under the name of the captured table.
struct CaptureState {
  bool there = false;                // something has this name
  std::string is_instead;            // of a table: "a view", for example; "" = it is a table
  std::vector<std::string> columns;  // the names of all that it has

  std::string trigger;  // the name of the trigger, for messages
  bool has_trigger = false;
  std::string elsewhere;             // where it has none: tables that have the trigger, for messages; "" = none
  std::string enable;                // SQL that enables the trigger; "" = it is enabled
  std::string mark;                  // what the trigger says of itself: see Source::Mark
  std::vector<Finding> others = {};  // what only this database can find
};

// REQUIRES: there is a captured table. `ignore_case` says how the database compares names of columns.
[[nodiscard]] std::vector<Finding> FindingsOf(const Tables& t, const CaptureState& state, bool ignore_case);
// Throws OUTBOX_BAD_CONFIG with the first error among them. `server` is the database's name, for messages.
void RequireCapture(const std::vector<Finding>& findings, const std::string& server);

// For `migrate --remove-capture`: throws OUTBOX_BAD_CONFIG where nothing is captured.
void RequireCaptured(const Tables& t);

// For DescribeColumns: throws OUTBOX_BAD_CONFIG for a column that the captured table has not. `columns` are those that it has.
[[noreturn]] void RefuseColumn(const Tables& t, const MappedColumn& column, const std::vector<std::string>& columns);

}  // namespace outbox::sql
