// The tables on PostgreSQL: how they are made.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "outbox/adapter.hpp"
#include "postgres/wire.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

struct Table {
  std::string name;                                          // without schema and quotes
  std::vector<std::pair<std::string, std::string>> columns;  // name, type and constraints
  std::string storage;                                       // with (...)
};

// As this version wants them. The first is the outbox itself.
std::vector<Table> Wanted(const sql::Tables& tables, const std::string& payload);

// Behind the prefix: the trigger that NOTIFYs, and its function.
inline constexpr const char* kWakeUpTrigger = "_wake_up";

std::string PrintSchema(const sql::Tables& tables, const SchemaWish& wish);
void ApplySchema(Wire& wire, const sql::Tables& tables, const SchemaWish& wish);

}  // namespace outbox::postgres
