// The tables of an outbox on PostgreSQL, and how they are created and upgraded.
#pragma once

#include <string>
#include <vector>

#include "outbox/adapter.hpp"
#include "postgres/client.hpp"
#include "sql/schema.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// Returns the tables that this version needs. The first one is the outbox. `payload` is the type of the payload
// columns.
std::vector<sql::Table> Wanted(const sql::Tables& tables, const std::string& payload);

sql::Statement AskCatalogue(const sql::Tables& tables, const std::vector<std::string>& names);
inline constexpr sql::Catalogue kCatalogue{AskCatalogue};

// Suffix of the names of the trigger that sends NOTIFY, and of its function. The prefix of the tables precedes it.
inline constexpr const char* kWakeUpTrigger = "_wake_up";

std::string PrintSchema(const sql::Tables& tables, const SchemaOptions& options);
// Returns the changes that ApplySchema would make, as phrases for people.
std::vector<std::string> PlanSchema(Client& client, const sql::Tables& tables, const SchemaOptions& options);
void ApplySchema(Client& client, const sql::Tables& tables, const SchemaOptions& options, Millis timeout);

}  // namespace outbox::postgres
