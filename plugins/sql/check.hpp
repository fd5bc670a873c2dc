// What `check` finds: the order and the wording that every database shares. A dialect derives from Check, and brings what its
// catalogue says, the SQL of the fixes, and the questions that only it has.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "outbox/adapter.hpp"
#include "sql/schema.hpp"

namespace outbox::sql {

// For one call of check. Changes nothing. Thread: that of the session.
class Check {
 public:
  virtual ~Check() = default;
  Check(const Check&) = delete;
  Check& operator=(const Check&) = delete;

  [[nodiscard]] std::vector<Finding> Run();

 protected:
  // By column: the types that the relay can work with in a table of the application's, the expected one first. A column
  // that is not in it may be of any type. REQUIRES: the id is in it.
  using AcceptedTypes = std::map<std::string, std::vector<std::string>>;

  // REQUIRES: `tables` outlives this.
  Check(Statements& db, const Tables& tables, std::vector<Table> wanted, const Catalogue& catalogue,
        AcceptedTypes accepted);

  // Run() calls what follows in this order. False = the server is one on which nothing else can be asked.
  [[nodiscard]] virtual bool Server() { return true; }
  // Views in the tables' place, of which columns and grants say nothing.
  [[nodiscard]] virtual std::vector<Finding> Views() { return {}; }
  // The captured table, its columns, the trigger on it and whether that works. REQUIRES: there is one.
  [[nodiscard]] virtual std::vector<Finding> Captured() { return {}; }
  // Is a table that the catalogue does not show really missing? Otherwise this user may not see it, as Grants() reports.
  [[nodiscard]] virtual bool IsMissing(const Table& /*table*/) { return true; }
  // `first` = no table before was missing.
  [[nodiscard]] virtual std::string FixMissingTable(bool /*first*/) { return kMigrate; }
  [[nodiscard]] virtual bool Accepts(const Table& table, const Column& column, const std::string& type) const;
  [[nodiscard]] virtual std::string FixMissingColumn(const Table& table, const Column& column) = 0;
  [[nodiscard]] virtual std::string FixType(const Table& /*table*/, const Column& /*column*/,
                                            const std::string& /*expected*/) {
    return "";
  }
  // SQL for an outbox whose id is not accepted, such as a uuid. `fixed` gets the names of missing columns that it makes too.
  [[nodiscard]] virtual std::string FixId(const FoundTable& found, std::set<std::string>& fixed) = 0;
  // Adds findings where ids would not rise with the order of insertion, or would come again. REQUIRES: the outbox has an id
  // of an accepted type.
  virtual void Ids(const FoundTable& /*outbox*/) {}
  virtual void Grants() {}
  // REQUIRES: nothing that was found is an error.
  [[nodiscard]] virtual std::vector<Finding> HiddenRows() { return {}; }
  [[nodiscard]] virtual std::vector<Finding> LowIds() = 0;  // REQUIRES: as above, and nothing is missing
  [[nodiscard]] virtual std::vector<Finding> Others() = 0;

  void Add(bool error, const std::string& what, const std::string& fix) { findings_.push_back({error, what, fix}); }
  void Append(std::vector<Finding> more);
  [[nodiscard]] bool HasErrors() const;
  // Finds the RelayRights() on tables that are there for which `has` is false. `shown` is the relay's user for people, such as
  // "role r", and `grantee` the same user in a grant.
  void FindMissingRights(const std::string& shown, const std::string& grantee,
                         const std::function<bool(const std::string& table, const std::string& right)>& has);

  const Tables& t_;
  const std::vector<Table> wanted_;
  FoundTables found_;  // from the catalogue, once the server was looked at

 private:
  [[nodiscard]] bool Columns();  // false = something is missing or of another type
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
