// Creates, upgrades and checks the tables in SQLite.
#pragma once

#include <string>
#include <vector>

#include "outbox/adapter.hpp"
#include "sql/schema.hpp"
#include "sql/tables.hpp"
#include "sqlite/connection.hpp"

namespace outbox::sqlite {

// Returns the tables as this version of the relay creates them. The first table is the outbox itself.
std::vector<sql::Table> Wanted(const sql::Tables& tables);
// Returns the tables of Wanted(). If there is a captured table, the outbox and the dead letters also have columns for
// the copies of its columns.
std::vector<sql::Table> WantedWithCopies(const sql::Tables& tables);

sql::Statement AskCatalogue(const sql::Tables& tables, const std::vector<std::string>& names);
inline constexpr sql::Catalogue kCatalogue{AskCatalogue, /*ignore_case=*/true};
// Returns true if the outbox's column id may have the declared type `type`.
inline bool IsId(const std::string& type) { return type.find("int") != std::string::npos; }

std::string PrintSchema(const sql::Tables& tables, const SchemaOptions& options);
// Returns the changes that ApplySchema() would make, each described in a phrase for people.
std::vector<std::string> PlanSchema(Connection& connection, const sql::Tables& tables, const SchemaOptions& options);
void ApplySchema(Connection& connection, const sql::Tables& tables, const SchemaOptions& options);
// Checks that reads reach all rows. Errors: throws OUTBOX_BAD_CONFIG if a table is a view or a virtual table, or if
// there are rows that no read reaches.
void RequireAllRows(Connection& connection, const sql::Tables& tables);
std::vector<Finding> CheckSchema(Connection& connection, const sql::Tables& tables, const std::string& path);

}  // namespace outbox::sqlite
