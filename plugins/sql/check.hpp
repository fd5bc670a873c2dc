// The part of `check` that is the same for every database: the order of the checks and the wording of the findings.
// Each database derives its own class from Check and provides the catalogue queries, the SQL of the fixes, and the
// checks that are specific to that database.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "outbox/adapter.hpp"
#include "sql/schema.hpp"

namespace outbox::sql {

// Performs one `check`. It changes nothing in the database. Thread: the thread of the session.
class Check {
 public:
  virtual ~Check() = default;
  Check(const Check&) = delete;
  Check& operator=(const Check&) = delete;

  [[nodiscard]] std::vector<Finding> Run();

 protected:
  // Maps the name of a column to the types with which the relay can work if the application created the outbox; the
  // expected type comes first. A column without an entry may have any type. REQUIRES: the column id has an entry.
  using AcceptedTypes = std::map<std::string, std::vector<std::string>>;

  // REQUIRES: `tables` outlives this object.
  Check(Statements& db, const Tables& tables, std::vector<Table> wanted, const Catalogue& catalogue,
        AcceptedTypes accepted);

  // Run() calls the functions from here to Others() in this order.
  //
  // Checks the server itself. Returns false if nothing else can be checked on this server.
  [[nodiscard]] virtual bool Server() { return true; }
  // Reports views that are in the place of tables. The checks of columns and privileges do not detect views.
  [[nodiscard]] virtual std::vector<Finding> Views() { return {}; }
  // Checks the captured table, its columns, and whether its trigger exists and works. REQUIRES: there is a captured
  // table.
  [[nodiscard]] virtual std::vector<Finding> Captured() { return {}; }
  // Returns true if a table that the catalogue does not show really does not exist. Returns false if the table exists
  // and this user lacks the privilege to see it; Grants() reports that.
  [[nodiscard]] virtual bool IsMissing(const Table& /*table*/) { return true; }
  // Returns the fix for a missing table. `first` is true for the first missing table.
  [[nodiscard]] virtual std::string FixMissingTable(bool /*first*/) { return kMigrate; }
  [[nodiscard]] virtual bool Accepts(const Table& table, const Column& column, const std::string& type) const;
  [[nodiscard]] virtual std::string FixMissingColumn(const Table& table, const Column& column) = 0;
  [[nodiscard]] virtual std::string FixType(const Table& /*table*/, const Column& /*column*/,
                                            const std::string& /*expected*/) {
    return "";
  }
  // Returns the SQL that fixes an outbox whose id has a type that is not accepted, such as uuid. Adds to `fixed` the
  // names of the missing columns that the same SQL creates.
  [[nodiscard]] virtual std::string FixId(const FoundTable& found, std::set<std::string>& fixed) = 0;
  // Adds a finding if new ids may not rise in the order of insertion, or if an id can be assigned twice. REQUIRES: the
  // outbox has an id of an accepted type.
  virtual void Ids(const FoundTable& /*outbox*/) {}
  virtual void Grants() {}
  // Reports tables that may hide rows from this user. REQUIRES: no finding so far is an error.
  [[nodiscard]] virtual std::vector<Finding> HiddenRows() { return {}; }
  // Reports rows whose ids are below the first id that is read. REQUIRES: no finding so far is an error, and no table
  // or column is missing.
  [[nodiscard]] virtual std::vector<Finding> LowIds() = 0;
  [[nodiscard]] virtual std::vector<Finding> Others() = 0;

  void Add(bool error, const std::string& what, const std::string& fix) { findings_.push_back({error, what, fix}); }
  void Append(std::vector<Finding> more);
  [[nodiscard]] bool HasErrors() const;
  // Adds a finding for each existing table on which the relay's user lacks a privilege of RelayRights(). `has` returns
  // true if the user has the privilege. `shown` is the user as messages show it, such as "role r"; `grantee` is the
  // same user in a GRANT statement.
  void FindMissingRights(const std::string& shown, const std::string& grantee,
                         const std::function<bool(const std::string& table, const std::string& right)>& has);

  const Tables& t_;
  const std::vector<Table> wanted_;
  FoundTables found_;  // the tables that exist, read from the catalogue after Server()

 private:
  // Checks all tables and their columns. Returns false if a table or column is missing, if something else is in the
  // place of a table, or if a column has a type that is not accepted.
  [[nodiscard]] bool Columns();
  [[nodiscard]] bool Columns(const Table& table, const FoundTable& found);
  void Companions();

  Statements& db_;
  const Catalogue catalogue_;
  const AcceptedTypes accepted_;
  bool has_ids_ = false;
  std::set<std::string> missing_;
  std::vector<Finding> findings_;
};

}  // namespace outbox::sql
