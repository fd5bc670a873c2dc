#include "sql/capture.hpp"

#include <algorithm>

namespace outbox::sql {
namespace {

Finding NoColumn(const Tables& t, const MappedColumn& column, const std::vector<std::string>& columns) {
  std::string has;
  for (const std::string& name : columns) has += (has.empty() ? "" : ", ") + name;
  return {true,
          column.option + ": table " + t.Shown(t.captured->table) + " has no column \"" + column.name +
              "\"; the table has: " + has,
          "correct the name of the column, then " + std::string(kMigrate)};
}

}  // namespace

std::vector<Finding> FindingsOf(const Tables& t, const CaptureState& state, bool ignore_case) {
  const std::string source = t.Shown(t.captured->table);
  const std::string moved =
      state.elsewhere.empty() ? "" : "; the trigger " + state.trigger + " is on " + state.elsewhere;
  if (!state.there)
    return {{true, "the captured table " + source + " is missing" + moved,
             "correct 'table' of /storage/options, or create the table"}};
  if (!state.is_instead.empty())
    return {{true, source + " is " + state.is_instead + ", expected a table: no trigger can copy its rows",
             "name the table itself in 'table' of /storage/options"}};
  std::vector<Finding> findings;
  for (const MappedColumn& column : t.captured->columns) {
    const auto same = [&](const std::string& name) { return SameName(name, column.name, ignore_case); };
    if (std::none_of(state.columns.begin(), state.columns.end(), same))
      findings.push_back(NoColumn(t, column, state.columns));
  }
  if (!state.has_trigger)
    findings.push_back(
        {true, "table " + source + " has no trigger that copies its rows, so rows inserted there are not sent" + moved,
         kMigrate});
  else if (!state.enable.empty())
    findings.push_back(
        {true, "trigger " + state.trigger + " on table " + source + " is disabled: rows inserted there are not sent",
         state.enable});
  else if (state.mark != t.captured->Mark())
    findings.push_back({true,
                        "trigger " + state.trigger + " on table " + source +
                            " was created for another list of columns, or by another version of the relay",
                        kMigrate});
  findings.insert(findings.end(), state.others.begin(), state.others.end());
  return findings;
}

void RequireCapture(const std::vector<Finding>& findings, const std::string& server) {
  for (const Finding& finding : findings)
    if (finding.error) throw Error(OUTBOX_BAD_CONFIG, server + ": " + finding.what + "; " + finding.fix);
}

void RefuseColumn(const Tables& t, const MappedColumn& column, const std::vector<std::string>& columns) {
  const Finding finding = NoColumn(t, column, columns);
  throw Error(OUTBOX_BAD_CONFIG, finding.what + "; " + finding.fix);
}

void RequireCaptured(const Tables& t) {
  if (!t.captured)
    throw Error(OUTBOX_BAD_CONFIG,
                "the options have no \"capture\", so there is nothing to remove: the application writes " +
                    t.Shown(t.event_name) + " itself");
}

}  // namespace outbox::sql
