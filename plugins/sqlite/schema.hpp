// The tables on SQLite: how they are made, and what can be wrong with those that are there.
#pragma once

#include <string>
#include <vector>

#include "outbox/adapter.hpp"
#include "sql/schema.hpp"
#include "sql/tables.hpp"
#include "sqlite/connection.hpp"

namespace outbox::sqlite {

// As this version wants them. The first is the outbox itself.
std::vector<sql::Table> Wanted(const sql::Tables& tables);
// With the copies of a captured table's columns, where there is one.
std::vector<sql::Table> WantedWithCopies(const sql::Tables& tables);

sql::Statement AskCatalogue(const sql::Tables& tables, const std::vector<std::string>& names);
inline constexpr sql::Catalogue kCatalogue{AskCatalogue, /*ignore_case=*/true};
inline bool IsId(const std::string& type) { return type.find("int") != std::string::npos; }

std::string PrintSchema(const sql::Tables& tables, const SchemaOptions& options);
// Phrases for people, of what ApplySchema would change.
std::vector<std::string> PlanSchema(Connection& connection, const sql::Tables& tables, const SchemaOptions& options);
void ApplySchema(Connection& connection, const sql::Tables& tables, const SchemaOptions& options);
// Throws BAD_CONFIG where a table is a view, and for rows that no read reaches.
void RequireAllRows(Connection& connection, const sql::Tables& tables);
std::vector<Finding> CheckSchema(Connection& connection, const sql::Tables& tables, const std::string& path);

}  // namespace outbox::sqlite
