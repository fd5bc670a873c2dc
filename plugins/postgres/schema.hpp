// The tables on PostgreSQL: how they are made.
#pragma once

#include <string>
#include <vector>

#include "outbox/adapter.hpp"
#include "postgres/client.hpp"
#include "sql/schema.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// As this version wants them. The first is the outbox itself.
std::vector<sql::Table> Wanted(const sql::Tables& tables, const std::string& payload);

sql::Statement AskCatalogue(const sql::Tables& tables, const std::vector<std::string>& names);
inline constexpr sql::Catalogue kCatalogue{AskCatalogue};

// Behind the prefix: the trigger that NOTIFYs, and its function.
inline constexpr const char* kWakeUpTrigger = "_wake_up";

std::string PrintSchema(const sql::Tables& tables, const SchemaOptions& options);
// Phrases for people, of what ApplySchema would change.
std::vector<std::string> PlanSchema(Client& client, const sql::Tables& tables, const SchemaOptions& options);
void ApplySchema(Client& client, const sql::Tables& tables, const SchemaOptions& options, Millis timeout);

}  // namespace outbox::postgres
