#include "sql/schema.hpp"

#include <algorithm>
#include <array>

#include "outbox/event.hpp"
#include "sql/sql_template.hpp"

namespace outbox::sql {
namespace {

std::string Filled(std::string_view text, const Tables& t, const Table& table, const std::string& index,
                   const std::string& column, const std::string& columns) {
  const std::string qualified = t.Quote(index);
  const auto dot = qualified.rfind('.');
  // The column is replaced last: its name may look like a placeholder.
  return Fill(text, {{"[table]", t.Quote(table.name)},
                     {"[index]", dot == std::string::npos ? qualified : qualified.substr(dot + 1)},
                     {"[qualified]", qualified},
                     {"[columns]", columns},
                     {"[column]", column}});
}

// Returns true if `name` is one of the names. It ignores case, because the names within one table always differ in more
// than case.
bool Has(const FoundTable::Names& names, const std::string& name) {
  return std::any_of(names.begin(), names.end(), [&](const auto& one) { return SameName(one.first, name, true); });
}

// Returns the table with only those of its columns that are copies, because the relay must not add the other columns of
// an outbox.
Table CopiesIn(const Table& table) {
  Table copies = table;
  std::erase_if(copies.columns, [](const Column& column) { return column.quoted.empty(); });
  return copies;
}

std::string Quoted(std::string_view name) { return "\"" + std::string(name) + "\""; }

}  // namespace

FoundTables Find(Statements& db, const Tables& t, const std::vector<std::string>& names, const Catalogue& catalogue) {
  FoundTables found;
  for (const Row& row : db.Run(catalogue.query(t, names))) {
    // On some servers the catalogue ignores case when it compares names, although the names of tables are
    // case-sensitive on those servers.
    for (const std::string& name : names) {
      if (!SameName(row.at(0).value_or(""), name, catalogue.ignore_case)) continue;
      FoundTable& table = found[name];
      const std::string value = row.at(2).value_or(""), more = row.at(3).value_or("");
      if (row.at(1) == "table") {
        table.is_table = value == "table";
        table.number = more;
      } else {
        (row[1] == "column" ? table.columns : table.indexes).emplace(value, more);
      }
    }
  }
  return found;
}

std::string CreateTable(const Tables& t, const Table& table, const SchemaDialect& dialect) {
  std::string sql = std::string(dialect.create_table) + " " + t.Quote(table.name) + " (";
  const char* separator = "\n  ";
  for (const Column& column : table.columns) {
    sql.append(separator).append(column.sql_name()).append(" ").append(column.type);
    separator = ",\n  ";
  }
  return sql + "\n)" + table.storage;
}

std::vector<std::string> CreateIndexes(const Tables& t, const Table& table, const SchemaDialect& dialect) {
  std::vector<std::string> statements;
  for (const Index& index : table.indexes)
    statements.push_back(Filled(dialect.add_index, t, table, index.name, "", index.columns));
  return statements;
}

std::vector<Step> Upgrade(const Tables& t, const Table& table, const FoundTable& found, const SchemaDialect& dialect) {
  using Kind = Step::Kind;
  std::vector<Step> steps;
  for (const Column& column : table.columns)
    if (!Has(found.columns, column.name))
      steps.push_back({"add column " + table.name + "." + column.name,
                       {Filled(dialect.add_column, t, table, "", column.sql_name() + " " + column.type, "")},
                       Kind::kAddColumn,
                       column.name});
  for (const Index& index : table.indexes)
    if (!Has(found.indexes, index.name))
      steps.push_back({"create index " + index.name + " on " + table.name + " " + index.columns,
                       {Filled(dialect.add_index, t, table, index.name, "", index.columns)},
                       Kind::kAddIndex,
                       index.name});
  for (const std::string& index : table.obsolete_indexes)
    if (Has(found.indexes, index))
      steps.push_back({"drop index " + index + " of " + table.name,
                       {Filled(dialect.drop_index, t, table, index, "", "")},
                       Kind::kDropIndex,
                       index});
  return steps;
}

std::vector<Step> UpgradeFromVersion1(const Tables& t, const Table& table, const SchemaDialect& dialect) {
  FoundTable original;
  for (const Column& column : table.columns)
    if (column.since == 1) original.columns.emplace(column.name, "");
  for (const std::string& index : table.obsolete_indexes) original.indexes.emplace(index, "");
  return Upgrade(t, table, original, dialect);
}

std::vector<Step> TableSteps(const Tables& t, const std::vector<Table>& wanted, const FoundTables& found,
                             const SchemaDialect& dialect) {
  std::vector<Step> steps;
  for (const Table& table : wanted) {
    const auto there = found.find(table.name);
    if (there == found.end()) {
      steps.push_back({"create table " + table.name, {CreateTable(t, table, dialect)}});
      for (std::string& index : CreateIndexes(t, table, dialect)) steps.push_back({"", {std::move(index)}});
    } else {
      for (Step& step : Upgrade(t, table.name != t.event_name ? table : CopiesIn(table), there->second, dialect))
        steps.push_back(std::move(step));
    }
  }
  return steps;
}

void RequireOutbox(const Tables& t, const Table& wanted, const FoundTables& found,
                   bool (*is_id)(const std::string& type)) {
  const auto outbox = found.find(t.event_name);
  if (outbox == found.end()) return;
  std::string missing;
  const auto add = [&](const std::string& name) { missing += (missing.empty() ? "" : ", ") + name; };
  for (const Column& column : wanted.columns) {
    if (!column.quoted.empty()) continue;  // a missing copy will be added
    const auto there = outbox->second.columns.find(column.name);
    if (there == outbox->second.columns.end())
      add(column.name);
    else if (column.name == "id" && !is_id(there->second))
      add("id (it is " + (there->second.empty() ? "of another type" : there->second) + ", expected an integer)");
  }
  if (missing.empty()) return;
  throw Error(OUTBOX_BAD_CONFIG, "table " + t.event +
                                     " is not an outbox, and nothing was changed; it lacks: " + missing +
                                     ". Name another table in 'table' of /storage/options; `outbox-relay check` prints"
                                     " the SQL that would turn this table into an outbox");
}

void RequireCompanions(const Tables& t, const std::vector<Table>& wanted, const FoundTables& found) {
  std::string foreign;
  for (const Table& table : wanted) {
    const auto it = found.find(table.name);
    if (table.name == t.event_name || it == found.end()) continue;
    std::string lacking;
    for (const Column& column : table.columns)
      if (column.since == 1 && !it->second.columns.contains(column.name))
        lacking.append(lacking.empty() ? "" : ", ").append(column.name);
    if (it->second.is_table && lacking.empty()) continue;
    foreign += (foreign.empty() ? "" : "; ") + Quoted(table.name) +
               (it->second.is_table ? " lacks the columns " + lacking : " is not a table");
  }
  if (foreign.empty()) return;
  throw Error(OUTBOX_BAD_CONFIG, "the names of the outbox's companion tables are already in use: " + foreign +
                                     ". Nothing was changed; " + OtherName());
}

bool LooksLikeOutbox(const FoundTable& table) {
  constexpr std::array kColumns{"id", "topic", "aggregate_id", "event_type", "payload"};
  return std::all_of(kColumns.begin(), kColumns.end(), [&](const char* c) { return table.columns.contains(c); });
}

std::vector<outbox::Column> ColumnsOf(Statements& db, const std::string& table, char quote,
                                      const Catalogue& catalogue) {
  const Tables named(table, quote, catalogue.ignore_case);
  std::vector<outbox::Column> columns;
  for (const auto& [name, found] : Find(db, named, {named.event_name}, catalogue))
    for (const auto& [column, type] : found.columns) columns.emplace_back(outbox::Column{column, type});
  return columns;
}

}  // namespace outbox::sql
