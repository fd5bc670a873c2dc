// Compares the tables that a database has with the tables that this version needs, and produces the statements that
// turn the former into the latter.
//
// Only companion tables are altered. The outbox itself belongs to the application: it is created if it is missing, and
// `check` reports the faults of an existing one. The exception is a capture table, to which missing copies of columns
// are added.
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

// One table, as the catalogue describes it.
struct FoundTable {
  using Names = std::map<std::string, std::string>;
  bool is_table = true;    // false if the object is a view, a sequence or something else
  std::string number;      // the table's number in the catalogue; "" in dialects that need none
  Names columns, indexes;  // columns: name to type; indexes: only the names matter
};
using FoundTables = std::map<std::string, FoundTable>;  // the existing tables by Table::name

// The way to look up tables in a database's catalogue.
struct Catalogue {
  // Returns the query for the tables of these names in the schema of `t`. Its rows have four columns and one of these
  // forms:
  // (table, 'table', 'table' or the kind of object that is in its place, number in the catalogue),
  // (table, 'column', name, type) and (table, 'index', name, any value).
  Statement (*query)(const Tables& t, const std::vector<std::string>& names);
  bool ignore_case = false;  // true if table names that differ only in case denote the same table
};
[[nodiscard]] FoundTables Find(Statements& db, const Tables& t, const std::vector<std::string>& names,
                               const Catalogue& catalogue);

// Returns the columns of any table, "name" or "schema.name", as the catalogue describes them; nothing if there is no
// such table. Errors: throws OUTBOX_BAD_CONFIG for a name that the relay does not support.
[[nodiscard]] std::vector<outbox::Column> ColumnsOf(Statements& db, const std::string& table, char quote,
                                                    const Catalogue& catalogue);

// Statements that change a table, with the placeholders [table], [index] (quoted), [qualified] (the index with its
// schema), [column] and [columns].
struct SchemaDialect {
  std::string_view add_column, add_index, drop_index;
  std::string_view create_table = "create table if not exists";
};

// One change of the schema.
struct Step {
  enum class Kind : std::uint8_t { kOther, kAddColumn, kAddIndex, kDropIndex };
  std::string what;              // a phrase for people; "" = belongs to the step before
  std::vector<std::string> sql;  // statements that belong together: all of them run, or none
  Kind kind = Kind::kOther;
  std::string name = {};  // the name of the column or index
};

[[nodiscard]] std::string CreateTable(const Tables& t, const Table& table, const SchemaDialect& dialect = {});
// Returns the statements that create the indexes of a new table, for databases whose CREATE TABLE cannot define them.
[[nodiscard]] std::vector<std::string> CreateIndexes(const Tables& t, const Table& table, const SchemaDialect& dialect);
// Returns the steps that add the columns and indexes that an existing companion table lacks, and drop the indexes that
// it no longer needs.
[[nodiscard]] std::vector<Step> Upgrade(const Tables& t, const Table& table, const FoundTable& found,
                                        const SchemaDialect& dialect);
// Returns the upgrade steps for a printed script. The script cannot query which columns and indexes exist, so the steps
// cover everything in which tables of version 1 may differ.
[[nodiscard]] std::vector<Step> UpgradeFromVersion1(const Tables& t, const Table& table, const SchemaDialect& dialect);
// Returns the steps that create the missing tables and upgrade the companion tables, in order.
[[nodiscard]] std::vector<Step> TableSteps(const Tables& t, const std::vector<Table>& wanted, const FoundTables& found,
                                           const SchemaDialect& dialect);

// Checks that the table with the configured name, if it exists, is an outbox. Errors: throws OUTBOX_BAD_CONFIG with the
// missing columns if it is not. An id whose type has no order counts as missing, and is listed with its type.
void RequireOutbox(const Tables& t, const Table& wanted, const FoundTables& found,
                   bool (*is_id)(const std::string& type));
// Checks that no name of a companion table is used by something else. Errors: throws OUTBOX_BAD_CONFIG with all names
// that are.
void RequireCompanions(const Tables& t, const std::vector<Table>& wanted, const FoundTables& found);
// Returns true if the table has the columns that make it an outbox.
[[nodiscard]] bool LooksLikeOutbox(const FoundTable& table);

}  // namespace outbox::sql
