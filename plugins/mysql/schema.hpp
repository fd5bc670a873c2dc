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

// Returns the tables as this version creates them. The first one is the outbox itself.
std::vector<sql::Table> Wanted(const sql::Tables& tables);

sql::Catalogue CatalogueOf(const Client& client);
// True if the outbox's id may have this type. `check` warns about types with a small range.
inline bool IsId(const std::string& type) { return type.ends_with("int"); }

// Returns the SQL expression that converts a value `payload`, which is a blob, to the type of the outbox's column: a
// column of MySQL's type json accepts no bytes.
std::string PayloadFromBlob(sql::Statements& db, const sql::Tables& tables);

// `look` describes the captured table, if there is one.
std::string PrintSchema(const sql::Tables& tables, const SchemaOptions& options, const SourceLook& look);
// Returns what ApplySchema would change, as phrases for people.
std::vector<std::string> PlanSchema(Client& client, const sql::Tables& tables, const SchemaOptions& options);
void ApplySchema(Client& client, const sql::Tables& tables, const SchemaOptions& options, Millis timeout);

}  // namespace outbox::mysql
