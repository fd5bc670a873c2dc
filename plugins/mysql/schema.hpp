// The tables on MySQL: how they are made.
#pragma once

#include <string>
#include <vector>

#include "mysql/capture.hpp"
#include "mysql/client.hpp"
#include "outbox/adapter.hpp"
#include "sql/schema.hpp"
#include "sql/tables.hpp"

namespace outbox::mysql {

// As this version wants them. The first is the outbox itself.
std::vector<sql::Table> Wanted(const sql::Tables& tables);

sql::Catalogue CatalogueOf(const Client& client);
// May the outbox's id be of this type? Of those with few numbers `check` warns.
inline bool IsId(const std::string& type) { return type.ends_with("int"); }

// The column payload of a blob, as a value for the outbox's own column: one of MySQL's type json takes no bytes.
std::string PayloadFromBlob(sql::Statements& db, const sql::Tables& tables);

// `look` is at the captured table, where there is one.
std::string PrintSchema(const sql::Tables& tables, const SchemaOptions& options, const SourceLook& look);
// Phrases for people, of what ApplySchema would change.
std::vector<std::string> PlanSchema(Client& client, const sql::Tables& tables, const SchemaOptions& options);
void ApplySchema(Client& client, const sql::Tables& tables, const SchemaOptions& options, Millis timeout);

}  // namespace outbox::mysql
