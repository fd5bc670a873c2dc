// What a database's catalogue is asked about the outbox and its companions, as a list: each row of an answer is a finding.
// All questions travel together, so that a check costs one round trip however many there are.
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

// What is found, and how to fix it. [1], [2], ... are the columns of a row behind its first one.
struct Text {
  const char *what, *fix;
};

// The first column of each row is its weight: 'error' where a promise is certainly broken, 'warning' where it may be,
// 'note' where nothing is wrong. All columns are text.
struct Question {
  Text text;
  const char* sql;
};

// What is filled into the SQL, in order; what is filled in may hold places that come later.
using Places = std::vector<std::pair<std::string, std::string>>;
[[nodiscard]] std::string Filled(std::string sql, const Places& places);

// For questions about one table, of each table: [kind], [table], [shown] (with its schema), [quoted] (for SQL), [fix] (of a
// view in its place), [key] (its primary key) and, as lists of quoted names, [known] (columns that the relay knows),
// [written] (those without the generated ones), [filled] (those that are given in every insert), [identity] (columns of
// which no two rows have the same), [writes] (what the relay and the application do to the table) and [tables] (all of them).
[[nodiscard]] std::vector<Places> PlacesOf(const Tables& t, const std::vector<Table>& tables);

// 'a', 'b'
[[nodiscard]] std::string InQuotes(const std::vector<std::string>& names);

// Findings come in the order of the questions.
std::vector<Finding> Ask(Statements& db, std::span<const Question> questions, const Places& places);

// Rows of the outbox that no read reaches. `fix` is the dialect's. REQUIRES: the user may read the table. The primary key
// answers it at once.
std::vector<Finding> FindLowIds(Statements& db, const Tables& tables, const char* fix);

// Throws BAD_CONFIG with the first of these.
void RequireNone(const std::vector<Finding>& findings, const char* server);

// Of one row.
[[nodiscard]] Finding FindingOf(const Text& text, const Row& row);

}  // namespace outbox::sql
