// Creates and upgrades the tables in MySQL and MariaDB.
#pragma once

#include <string>
#include <vector>

#include "mysql/capture.hpp"
#include "mysql/client.hpp"
#include "outbox/adapter.hpp"
#include "sql/schema.hpp"
#include "sql/tables.hpp"

namespace outbox::mysql {

// Returns the tables as this version of the relay creates them. The first table is the outbox itself.
std::vector<sql::Table> Wanted(const sql::Tables& tables);

sql::Catalogue CatalogueOf(const Client& client);
// Returns true if the outbox's column id may have the SQL type `type`. The command `check` warns about types with a
// small range.
inline bool IsId(const std::string& type) { return type.ends_with("int"); }

// Returns the SQL expression that converts the blob `payload` to the type of the outbox's column. A conversion is
// needed for MySQL's type json, which accepts no bytes.
std::string PayloadFromBlob(sql::Statements& db, const sql::Tables& tables);

// Returns the script of `migrate --print`. `look` describes the captured table, if there is one.
std::string PrintSchema(const sql::Tables& tables, const SchemaOptions& options, const SourceLook& look);
// Returns the changes that ApplySchema() would make, each described in a phrase for people.
std::vector<std::string> PlanSchema(Client& client, const sql::Tables& tables, const SchemaOptions& options);
void ApplySchema(Client& client, const sql::Tables& tables, const SchemaOptions& options, Millis timeout);

}  // namespace outbox::mysql
