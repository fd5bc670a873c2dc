#include "sql/meta.hpp"

#include <algorithm>

#include "outbox/event.hpp"

namespace outbox::sql {
namespace {

std::string Quoted(std::string_view name) { return "\"" + std::string(name) + "\""; }

}  // namespace

std::string OtherName() {
  return "give this outbox a table with another name ('table' in the options), so that its companion tables have other"
         " names";
}

void RequireKnownVersion(const Meta& meta) {
  if (meta.version > kSchemaVersion)
    throw Error(OUTBOX_BAD_CONFIG, "the tables have version " + std::to_string(meta.version) +
                                       " and this relay supports up to " + std::to_string(kSchemaVersion) +
                                       "; use a newer outbox-relay");
}

bool RequireOwn(Statements& db, const Tables& t, bool ignore_case, Access access) {
  const Rows version = db.Run({t.In("select version from {meta}"), {}});
  if (version.empty()) throw Error(OUTBOX_BAD_CONFIG, std::string("the meta table is empty; ") + kMigrate);
  Meta meta{ToNumber(version[0][0]), 0, {}};
  if (access == Access::kWrites) RequireKnownVersion(meta);
  if (meta.version < kSchemaVersion)
    throw Error(OUTBOX_BAD_CONFIG, "the tables have version " + std::to_string(meta.version) +
                                       " and this relay needs " + std::to_string(kSchemaVersion) + "; " + kMigrate);
  const Rows rows = db.Run({t.In("select outbox from {meta}"), {}});
  meta.outbox = rows.at(0)[0];
  if (meta.outbox && SameName(*meta.outbox, t.event_name, ignore_case)) return meta.version == kSchemaVersion;
  throw Error(OUTBOX_BAD_CONFIG, "the companion tables " + Quoted(t.prefix + "_meta") +
                                     " and so on belong to the outbox " + Quoted(meta.outbox.value_or("")) +
                                     ", not to " + Quoted(t.event_name) +
                                     ": two outboxes cannot share them. Name the right table in 'table', or, if the"
                                     " table was renamed, " +
                                     kMigrate);
}

std::vector<std::string> Rivals(const Tables& t, const Value& recorded, bool ignore_case) {
  std::vector<std::string> names;
  for (const std::string& name : {t.prefix, t.prefix + "_event", recorded.value_or("")}) {
    const auto same = [&](const std::string& other) { return SameName(name, other, ignore_case); };
    if (!name.empty() && !same(t.event_name) && std::none_of(names.begin(), names.end(), same)) names.push_back(name);
  }
  return names;
}

void RequireFree(const Tables& t, const Meta& meta, const std::vector<std::string>& others, bool ignore_case) {
  if (meta.outbox && SameName(*meta.outbox, t.event_name, ignore_case)) return;
  const std::string companions = "the companion tables " + Quoted(t.prefix + "_meta") + " and so on ";
  if (meta.outbox) {
    const auto recorded = [&](const std::string& name) { return SameName(name, *meta.outbox, ignore_case); };
    if (std::none_of(others.begin(), others.end(), recorded)) return;  // the recorded outbox was renamed or dropped
    throw Error(OUTBOX_BAD_CONFIG, companions + "belong to the outbox " + Quoted(*meta.outbox) + ", so " +
                                       Quoted(t.event_name) + " cannot use them. Nothing was changed; " + OtherName());
  }
  if (others.empty()) return;
  throw Error(OUTBOX_BAD_CONFIG,
              companions + "do not record yet which outbox they belong to; it may be " + Quoted(t.event_name) + " or " +
                  Quoted(others.front()) +
                  ". Nothing was changed; record the owner, then run migrate for it again: alter table " + t.meta +
                  " add column outbox text; update " + t.meta + " set outbox = '" + t.event_name + "';");
}

}  // namespace outbox::sql
