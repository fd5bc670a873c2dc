// The tables on MySQL: how they are made.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "mysql/wire.hpp"
#include "outbox/adapter.hpp"
#include "sql/tables.hpp"

namespace outbox::mysql {

struct Table {
  std::string name;                                          // without database and quotes
  std::vector<std::pair<std::string, std::string>> columns;  // name, type and constraints
  std::string indexes;                                       // ", index (...)"
};

// As this version wants them. The first is the outbox itself.
std::vector<Table> Wanted(const sql::Tables& tables);

// The column payload of a blob, as a value for the outbox's own column: one of MySQL's type json takes no bytes.
std::string PayloadFromBlob(sql::Statements& db, const sql::Tables& tables);

std::string PrintSchema(const sql::Tables& tables, const SchemaWish& wish);
void ApplySchema(Wire& wire, const sql::Tables& tables, const SchemaWish& wish);

}  // namespace outbox::mysql
