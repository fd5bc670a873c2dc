#include "sql/check.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace outbox::sql {

Check::Check(Statements& db, const Tables& tables, std::vector<Table> wanted, const Catalogue& catalogue,
             AcceptedTypes accepted)
    : t_(tables), wanted_(std::move(wanted)), db_(db), catalogue_(catalogue), accepted_(std::move(accepted)) {}

void Check::Append(std::vector<Finding> more) { std::move(more.begin(), more.end(), std::back_inserter(findings_)); }

bool Check::HasErrors() const {
  return std::any_of(findings_.begin(), findings_.end(), [](const Finding& f) { return f.error; });
}

std::vector<Finding> Check::Run() {
  if (!Server()) return std::move(findings_);
  std::vector<Finding> views = Views();
  const bool tables = views.empty();
  Append(std::move(views));
  if (t_.captured) Append(Captured());
  const bool complete = tables && Columns();
  if (has_ids_) Ids(found_.at(t_.event_name));
  if (tables) Grants();
  if (!HasErrors()) Append(HiddenRows());
  if (complete && !HasErrors()) Companions();
  if (complete && !HasErrors()) Append(LowIds());
  Append(Others());
  return std::move(findings_);
}

bool Check::Columns() {
  found_ = Find(db_, t_, NamesOf(t_), catalogue_);
  bool complete = true;
  for (const Table& table : wanted_) {
    const auto found = found_.find(table.name);
    if (found != found_.end()) {
      // The columns of an object that is not a table, such as a view, are not checked: columns cannot be changed in
      // such an object, and the wrong kind of object is a finding by itself.
      complete = found->second.is_table && Columns(table, found->second) && complete;
      continue;
    }
    if (IsMissing(table)) {
      Add(true, "table " + t_.Shown(table.name) + " is missing", FixMissingTable(missing_.empty()));
      missing_.insert(table.name);
    }
    complete = false;
  }
  return complete;
}

bool Check::Accepts(const Table& /*table*/, const Column& column, const std::string& type) const {
  if (!column.quoted.empty()) return type == column.type;
  const auto good = accepted_.find(column.name);
  return good == accepted_.end() || std::find(good->second.begin(), good->second.end(), type) != good->second.end();
}

bool Check::Columns(const Table& table, const FoundTable& found) {
  bool complete = true;
  std::set<std::string> fixed;
  for (const Column& column : table.columns) {
    const auto there = found.columns.find(column.name);
    const bool is_id = table.kind == "event" && column.name == "id";
    if (there != found.columns.end() && Accepts(table, column, there->second)) {
      has_ids_ = has_ids_ || is_id;
      continue;
    }
    complete = false;
    const std::string name = "column " + t_.Shown(table.name) + "." + column.name;
    if (there == found.columns.end()) {
      const bool copy = !column.quoted.empty();
      if (!fixed.contains(column.name))
        Add(true, name + " is missing", copy ? kMigrate : FixMissingColumn(table, column));
      continue;
    }
    const std::string& expected = column.quoted.empty() ? accepted_.at(column.name).front() : column.type;
    const std::string what = name + " is " + there->second + ", expected " + expected;
    if (is_id)
      Add(true, what + ": the relay needs ids that rise in the order of insertion", FixId(found, fixed));
    else
      Add(true, what, FixType(table, column, expected));
  }
  return complete;
}

void Check::FindMissingRights(const std::string& shown, const std::string& grantee,
                              const std::function<bool(const std::string& table, const std::string& right)>& has) {
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

// Checks the version and the owner of the companion tables, as the relay does when it starts, and checks that each
// shard has a row.
void Check::Companions() {
  const Rows meta = db_.Run({t_.In("select version, shards, (select count(*) from {shard}) from {meta}"), {}});
  if (meta.empty() || meta[0][1] != meta[0][2])
    return Add(true,
               "tables " + t_.Shown(t_.prefix + "_meta") + " and " + t_.Shown(t_.prefix + "_shard") +
                   " disagree on the number of shards",
               kMigrate);
  try {
    (void)RequireOwn(db_, t_, catalogue_.ignore_case);
  } catch (const Error& error) {
    if (error.code != OUTBOX_BAD_CONFIG) throw;
    Add(true, error.what(), "");
  }
}

}  // namespace outbox::sql
