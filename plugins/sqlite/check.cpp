#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "sql/check.hpp"
#include "sql/questions.hpp"
#include "sql/sql_template.hpp"
#include "sqlite/capture.hpp"
#include "sqlite/others.hpp"
#include "sqlite/schema.hpp"

namespace outbox::sqlite {
namespace {

// Returns SQL that replaces the outbox by a table whose ids are never reused, and copies the rows into this table. Ids
// of another type, such as UUIDs, have no order and do not become row ids.
std::string Rebuild(const sql::Tables& t, const sql::Table& wanted, const sql::FoundTable& found) {
  const auto has = [&](const std::string& column) { return found.columns.contains(column); };
  const bool numbers = IsId(found.columns.at("id"));
  std::string into, from;
  const auto copy = [&](const std::string& target, const std::string& source) {
    into += (into.empty() ? "" : ", ") + target;
    from += (from.empty() ? "" : ", ") + source;
  };
  for (const sql::Column& column : wanted.columns) {
    const std::string& name = column.name;
    if (has(name) && (name != "id" || numbers)) copy(name, name);
    if (name == "event_id" && !has(name) && !numbers) copy(name, "id");
  }
  return t.In(
      sql::Fill("begin; " OUTBOX_EXPECT_ALL
                " alter table {event} rename to \"[name]_old\"; [create] delete from \"[name]_old\" where 0;"
                " insert into {event} ([into]) select [from] from \"[name]_old\" order by [order];"
                " insert or rollback into outbox_moved select changes() = (select count(*) from \"[name]_old\");"
                " drop table \"[name]_old\"; commit;"
                " -- columns, indexes and triggers of your own are not carried over",
                {{"[name]", t.event_name},
                 {"[create]", sql::CreateTable(t, wanted) + ";"},
                 {"[into]", into},
                 {"[from]", from},
                 {"[order]", numbers ? "id" : "rowid"}}));
}

class Check final : public sql::Check {
 public:
  Check(Connection& connection, const sql::Tables& t, const std::string& path)
      : sql::Check(connection, t, WantedWithCopies(t), kCatalogue, {{"id", {"integer"}}}),
        connection_(connection),
        path_(path) {}

 private:
  // Returns true if the column may have this type. Only column id is restricted: SQLite stores values of every type in
  // every column, except in one that is an integer primary key.
  bool Accepts(const sql::Table& /*table*/, const sql::Column& column, const std::string& type) const override {
    return column.name != "id" || IsId(type);
  }

  std::vector<Finding> Views() override { return FindViews(connection_, t_); }

  std::vector<Finding> Captured() override {
    std::vector<Finding> findings = FindCapture(connection_, t_);
    if (std::any_of(findings.begin(), findings.end(), [](const Finding& finding) { return finding.error; }))
      return findings;
    findings.push_back({false,
                        "trigger " + t_.event_name + " copies rows that are inserted into " + t_.captured->table +
                            "; to end the capture, let the relay deliver the backlog, then run these statements",
                        EndCaptureSql(t_), true});
    return findings;
  }

  // Returns SQL that adds a missing column with a type only, because SQLite cannot add a column whose default is an
  // expression, or that is NOT NULL without a default.
  std::string FixMissingColumn(const sql::Table& table, const sql::Column& column) override {
    return "alter table " + t_.Quote(table.name) + " add column " + column.sql_name() + " " +
           column.type.substr(0, column.type.find(' ')) + ";";
  }

  std::string FixId(const sql::FoundTable& found, std::set<std::string>& fixed) override {
    for (const sql::Column& column : wanted_[sql::kEvent].columns) fixed.insert(column.name);
    return Rebuild(t_, wanted_[sql::kEvent], found) +
           "\n-- The former id becomes event_id, or is dropped if the table has that column; waiting rows are"
           " numbered in the order of their rowids.";
  }

  void Ids(const sql::FoundTable& outbox) override {
    int autoincrement = 0;
    if (sqlite3_table_column_metadata(connection_.raw(), nullptr, t_.event_name.c_str(), "id", nullptr, nullptr,
                                      nullptr, nullptr, &autoincrement) == SQLITE_OK &&
        autoincrement == 0)
      Add(true,
          "table " + t_.event +
              " may give the id of a deleted row to a new row (its id is not AUTOINCREMENT):"
              " a repeated confirm would delete an event that was never sent",
          Rebuild(t_, wanted_[sql::kEvent], outbox));
  }

  std::vector<Finding> LowIds() override { return FindLowIds(connection_, t_); }

  std::vector<Finding> Others() override {
    Append(FindOthers(connection_, t_));
    const sql::Rows mode = connection_.Run({"select journal_mode from pragma_journal_mode", {}});
    if (!mode.empty() && mode[0][0] != "wal")
      Add(false,
          "the journal mode is '" + mode[0][0].value_or("") +
              "': the relay and the application block each other while one of them writes",
          "pragma journal_mode = wal;");
    const auto folder = std::filesystem::absolute(path_).parent_path();
    if (access(folder.c_str(), W_OK) != 0)
      Add(true, "the folder " + folder.string() + " is not writable for this user: SQLite creates its log files there",
          "make the folder writable for this user, with chown or chmod");
    return {};
  }

  Connection& connection_;
  const std::string& path_;
};

}  // namespace

std::vector<Finding> CheckSchema(Connection& connection, const sql::Tables& tables, const std::string& path) {
  return Check(connection, tables, path).Run();
}

}  // namespace outbox::sqlite
