// From the tables that a database has to those that this version wants: what there is, and the statements that lead from the
// one to the other.
//
// Only companion tables are altered. The outbox's own table is the application's: it is created where it is missing, and
// otherwise `check` says what is wrong with it. One that holds copies of captured rows gets the copies that it lacks.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "outbox/adapter.hpp"
#include "sql/meta.hpp"
#include "sql/outbox_tables.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::sql {

// What the database has under a table's name.
struct FoundTable {
  using Names = std::map<std::string, std::string>;
  bool is_table = true;    // false: a view, a sequence, ...
  std::string number;      // by which the catalogue knows it; "" where a dialect does without
  Names columns, indexes;  // columns to their types
};
using FoundTables = std::map<std::string, FoundTable>;  // by Table::name; what is missing is not in it

// How to look tables up.
struct Catalogue {
  // Of the tables of these names in the schema of `t`: rows of table, 'table', 'table' or what else it is, number; of
  // table, 'column', name, type; and of table, 'index', name, anything.
  Statement (*query)(const Tables& t, const std::vector<std::string>& names);
  bool ignore_case = false;  // names of tables that differ in case only are one table
};
[[nodiscard]] FoundTables Find(Statements& db, const Tables& t, const std::vector<std::string>& names,
                               const Catalogue& catalogue);

// The columns of any table, "name" or "schema.name", as the catalogue knows them; empty = there is no such table. Throws
// OUTBOX_BAD_CONFIG for a name that no table of ours can have.
[[nodiscard]] std::vector<outbox::Column> ColumnsOf(Statements& db, const std::string& table, char quote,
                                                    const Catalogue& catalogue);

// Statements with the places [table], [index] (quoted), [qualified] (the index with its schema), [column] and [columns].
struct SchemaDialect {
  std::string_view add_column, add_index, drop_index;
  std::string_view create_table = "create table if not exists";
};

// One change.
struct Step {
  enum class Kind : std::uint8_t { kOther, kAddColumn, kAddIndex, kDropIndex };
  std::string what;              // for people; "" = belongs to the one before
  std::vector<std::string> sql;  // which belong together: all of them or none
  Kind kind = Kind::kOther;
  std::string name = {};  // of the column or index
};

[[nodiscard]] std::string CreateTable(const Tables& t, const Table& table, const SchemaDialect& dialect = {});
// The indexes of a table that has just been created, for databases whose CREATE TABLE takes none.
[[nodiscard]] std::vector<std::string> CreateIndexes(const Tables& t, const Table& table, const SchemaDialect& dialect);
// Adds what an existing companion table lacks, and drops what it no longer needs.
[[nodiscard]] std::vector<Step> Upgrade(const Tables& t, const Table& table, const FoundTable& found,
                                        const SchemaDialect& dialect);
// The same for a script, which cannot ask what is there: whatever tables of version 1 may lack or have too much.
[[nodiscard]] std::vector<Step> UpgradeFromVersion1(const Tables& t, const Table& table, const SchemaDialect& dialect);
// Creates what is missing and upgrades the companions, in order.
[[nodiscard]] std::vector<Step> TableSteps(const Tables& t, const std::vector<Table>& wanted, const FoundTables& found,
                                           const SchemaDialect& dialect);

// Throws OUTBOX_BAD_CONFIG where the table of the configured name is no outbox, and says what it lacks. An id of a type that has
// no order is as good as missing: its name is followed by its type.
void RequireOutbox(const Tables& t, const Table& wanted, const FoundTables& found,
                   bool (*is_id)(const std::string& type));
// Throws OUTBOX_BAD_CONFIG with a list where a companion's name belongs to something that is not a companion table.
void RequireCompanions(const Tables& t, const std::vector<Table>& wanted, const FoundTables& found);
// The columns that make a table an outbox.
[[nodiscard]] bool LooksLikeOutbox(const FoundTable& table);

}  // namespace outbox::sql
