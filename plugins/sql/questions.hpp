// Queries of a database's catalogue about the outbox and its companion tables. Each row of an answer is a finding. All
// queries are sent together, so a check costs one round trip no matter how many queries it has.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "outbox/adapter.hpp"
#include "sql/outbox_tables.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::sql {

// The text of a finding and of its fix. [1], [2], ... stand for the columns of a row, counted from the second one on.
struct Text {
  const char *what, *fix;
};

// A query. The first column of each row is the severity: 'error' if a promise of the relay is certainly broken,
// 'warning' if it may be broken, 'note' if nothing is wrong. All columns are texts.
struct Question {
  Text text;
  const char* sql;
};

// Placeholders and the texts that replace them, in order. A text may contain placeholders that come later in the list.
using Places = std::vector<std::pair<std::string, std::string>>;
[[nodiscard]] std::string Filled(std::string sql, const Places& places);

// Returns, for queries about one table, the placeholders of each table: [kind], [table], [shown] (with its schema),
// [quoted] (for SQL), [fix] (if a view is in its place), [key] (its primary key), and as lists of quoted names [known]
// (columns that the relay knows), [written] (the known columns that are not generated), [filled] (columns that every
// insert sets), [identity] (columns in which no two rows are equal), [writes] (the kinds of statements with which the
// relay and the application change the table) and [tables] (all tables).
[[nodiscard]] std::vector<Places> PlacesOf(const Tables& t, const std::vector<Table>& tables);

// Returns the names in single quotes, separated by commas: 'a', 'b'.
[[nodiscard]] std::string InQuotes(const std::vector<std::string>& names);

// Runs the queries and returns the findings, in the order of the queries.
std::vector<Finding> Ask(Statements& db, std::span<const Question> questions, const Places& places);

// Reports rows of the outbox that no read reaches, because their ids are below the first id that is read. The query
// takes one look-up in the primary key. `fix` is the SQL of the fix in the database's dialect. REQUIRES: the user may
// read the table.
std::vector<Finding> FindLowIds(Statements& db, const Tables& tables, const char* fix);

// Checks that there is no finding. Errors: throws OUTBOX_BAD_CONFIG with the first one.
void RequireNone(const std::vector<Finding>& findings, const char* server);

// Returns the finding that one row of an answer describes.
[[nodiscard]] Finding FindingOf(const Text& text, const Row& row);

}  // namespace outbox::sql
