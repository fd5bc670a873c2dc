// What the dialects' schemas share: the tables as this version wants them, what a database has of them, and what leads
// from the one to the other.
//
// Only companion tables are altered. The outbox's own table is the application's: it is created where it is missing, and
// otherwise `check` says what is wrong with it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "outbox/adapter.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::sql {

struct Index {
  std::string name;
  std::string columns;  // with brackets
};

struct Table {
  std::string name;  // without schema and quotes
  // Name, type and constraints. A column that an earlier version did not have must be one that can be added to a table with
  // rows: nullable, or with a constant default.
  std::vector<std::pair<std::string, std::string>> columns;
  std::string storage = {};                        // behind the closing bracket
  std::vector<Index> indexes = {};                 // besides the primary key
  std::vector<std::string> obsolete_indexes = {};  // made by earlier versions, dropped by an upgrade
};

// What the database has under a table's name.
struct FoundTable {
  bool is_table = true;  // false: a view, a sequence, ...
  std::set<std::string> columns, indexes;
};
using FoundTables = std::map<std::string, FoundTable>;  // by Table::name; what is missing is not in it

// Statements with the places [table], [index] (quoted), [qualified] (the index with its schema), [column] and [columns].
struct SchemaDialect {
  std::string_view add_column, add_index, drop_index;
};

// One change of a table that exists.
struct Step {
  std::string what;  // for people
  std::string sql;
};

// A change of a table waits for each transaction that uses it, and whoever comes next waits behind the change: an
// application's insert too. So a change waits for a moment only, and is tried again after a pause.
constexpr Millis kLockWait{500};
[[nodiscard]] bool IsLockWait(const Error& error);
// Runs `change` until it gets its locks. After about three quarters of `timeout` throws OUTBOX_TIMEOUT; `blocker` may say who
// has the locks.
void TryForLocks(Millis timeout, const std::function<void()>& change, const std::function<std::string()>& blocker);

[[nodiscard]] std::string CreateTable(const Tables& t, const Table& table);
// The indexes of a table that has just been created, for databases whose CREATE TABLE takes none.
[[nodiscard]] std::vector<std::string> CreateIndexes(const Tables& t, const Table& table, const SchemaDialect& dialect);
// Adds what an existing companion table lacks, and drops what it no longer needs.
[[nodiscard]] std::vector<Step> Upgrade(const Tables& t, const Table& table, const FoundTable& found,
                                        const SchemaDialect& dialect);
// Creates what is missing and upgrades the companions, in order. A step without `what` belongs to the one before.
[[nodiscard]] std::vector<Step> TableSteps(const Tables& t, const std::vector<Table>& wanted, const FoundTables& found,
                                           const SchemaDialect& dialect);
[[nodiscard]] std::vector<std::string> Phrases(const std::vector<Step>& steps);
// True for a column that the first version of the companion tables had.
[[nodiscard]] bool IsOriginal(const Tables& t, const Table& table, const std::string& column);

// Throws OUTBOX_BAD_CONFIG with a list where a companion's name belongs to something that is not a companion table.
void RequireCompanions(const Tables& t, const std::vector<Table>& wanted, const FoundTables& found);

// The row of the meta table.
struct Meta {
  long long version = 0, shards = 0;
  Value outbox;  // the table that the companions belong to; NULL before version 2
};

// Throws OUTBOX_BAD_CONFIG for tables of a newer version.
void RequireKnownVersion(const Meta& meta);
// For the relay and for those who change rows: throws OUTBOX_BAD_CONFIG unless the companions have this version and belong
// to this outbox. `ignore_case` says how the database compares names of tables. Who only reads may do so in newer tables too;
// false for those.
enum class Access : std::uint8_t { kReads, kWrites };
bool RequireOwn(Statements& db, const Tables& t, bool ignore_case, Access access = Access::kWrites);
// For migrate. `others` are existing tables of the same schema, besides this outbox's own, that would have the same
// companions and could be an outbox.
void RequireFree(const Tables& t, const Meta& meta, const std::vector<std::string>& others, bool ignore_case);
// The names that an outbox with these companions may have, the recorded one included, without this one's own.
[[nodiscard]] std::vector<std::string> Rivals(const Tables& t, const Value& recorded, bool ignore_case);
// The columns that make a table an outbox.
[[nodiscard]] bool LooksLikeOutbox(const FoundTable& table);

}  // namespace outbox::sql
