// What `check` finds: the order and the wording that every database shares. A dialect derives from Check, and brings what its
// catalogue says, the SQL of the fixes, and the questions that only it has.
#pragma once

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
  // By column: the types of other makers' tables that the relay can do with, the expected one first. Columns that are not
  // in it may be of any type. REQUIRES: the id is in it.
  using AcceptedTypes = std::map<std::string, std::vector<std::string>>;

  // REQUIRES: `tables` outlives this.
  Check(Statements& db, const Tables& tables, std::vector<Table> wanted, const Catalogue& catalogue,
        AcceptedTypes accepted);

  // What follows is called in this order. False = the server is one on which nothing else can be asked.
  [[nodiscard]] virtual bool Server() { return true; }
  // Views in the tables' place, of which columns and grants say nothing.
  [[nodiscard]] virtual std::vector<Finding> Views() { return {}; }
  // Of a table that the catalogue does not show: is it really missing? Else this user may not see it, as the grants say.
  [[nodiscard]] virtual bool IsMissing(const Table& /*table*/) { return true; }
  // `first` = no table before was missing.
  [[nodiscard]] virtual std::string FixMissingTable(bool /*first*/) { return kMigrate; }
  [[nodiscard]] virtual bool Accepts(const Table& table, const Column& column, const std::string& type) const;
  [[nodiscard]] virtual std::string FixMissingColumn(const Table& table, const Column& column) = 0;
  [[nodiscard]] virtual std::string FixType(const Table& /*table*/, const Column& /*column*/,
                                            const std::string& /*expected*/) {
    return "";
  }
  // Of the outbox's id, such as a uuid. `fixed` takes the names of missing columns that the fix makes.
  [[nodiscard]] virtual std::string FixId(const FoundTable& found, std::set<std::string>& fixed) = 0;
  // REQUIRES: the outbox has an id of an accepted type. Ids rise with the order of insertion, and never come again.
  virtual void Ids(const FoundTable& /*outbox*/) {}
  virtual void Grants() {}
  // REQUIRES: nothing that was found is an error.
  [[nodiscard]] virtual std::vector<Finding> HiddenRows() { return {}; }
  [[nodiscard]] virtual std::vector<Finding> LowIds() = 0;
  [[nodiscard]] virtual std::vector<Finding> Others() = 0;

  void Add(bool error, const std::string& what, const std::string& fix) { findings_.push_back({error, what, fix}); }
  void Append(std::vector<Finding> more);
  [[nodiscard]] bool HasErrors() const;
  // What of RelayRights() `has` denies, for `user` as it is shown ("role \"r\"") and as it is granted to.
  template <class Has>
  void FindMissingRights(const std::string& shown, const std::string& grantee, Has has) {
    for (const auto& [table, rights] : RelayRights(t_)) {
      const auto found = found_.find(table);
      if (missing_.contains(table) || (found != found_.end() && !found->second.is_table)) continue;
      std::string lacking;
      for (const std::string& right : rights)
        if (!has(table, right)) lacking += (lacking.empty() ? "" : ", ") + right;
      if (!lacking.empty())
        Add(true, shown + " lacks " + lacking + " on " + t_.Shown(table),
            "grant " + lacking + " on " + t_.Quote(table) + " to " + grantee + ";");
    }
  }

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
