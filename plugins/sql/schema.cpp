#include "sql/schema.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

#include "sql/sql_template.hpp"

namespace outbox::sql {
namespace {

// The columns of version 1, by the companion's name behind the prefix. SQLite's retry table had no event_id.
using Names = std::vector<std::string_view>;
const std::map<std::string_view, Names>& Version1Columns() {
  static const std::map<std::string_view, Names> kOriginal{
      {"_retry", {"row_id", "aggregate_id", "attempts", "next_try", "first_failed", "last_failed", "reason", "error"}},
      {"_dead",
       {"row_id", "event_id", "topic", "aggregate_id", "event_type", "payload", "headers", "created_at", "attempts",
        "first_failed", "died_at", "reason", "error"}},
      {"_relay", {"relay_id", "expires"}},
      {"_shard", {"shard", "owner", "token", "state", "lost", "suspect", "suspect_token", "suspect_owners"}},
      {"_meta", {"only_row", "version", "shards"}},
  };
  return kOriginal;
}

const Names& OriginalOf(const Tables& t, const Table& table) {
  return Version1Columns().at(table.name.substr(t.prefix.size()));
}

std::string Filled(std::string_view text, const Tables& t, const Table& table, const std::string& index,
                   const std::string& column, const std::string& columns) {
  const std::string qualified = t.Quote(index);
  const auto dot = qualified.rfind('.');
  return Fill(text, {{"[table]", t.Quote(table.name)},
                     {"[index]", dot == std::string::npos ? qualified : qualified.substr(dot + 1)},
                     {"[qualified]", qualified},
                     {"[column]", column},
                     {"[columns]", columns}});
}

// Within one table no two names differ in case only.
bool Has(const std::set<std::string>& names, const std::string& name) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& one) { return SameName(one, name, true); });
}

std::string Quoted(std::string_view name) { return "\"" + std::string(name) + "\""; }

std::string OtherName() {
  return "give this outbox a table with another name ('table' in the options), whose companions have other names";
}

}  // namespace

std::string CreateTable(const Tables& t, const Table& table) {
  std::string sql = "create table if not exists " + t.Quote(table.name) + " (";
  const char* separator = "\n  ";
  for (const auto& [name, type] : table.columns) {
    sql.append(separator).append(name).append(" ").append(type);
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
  std::vector<Step> steps;
  for (const auto& [column, type] : table.columns)
    if (!Has(found.columns, column))
      steps.push_back({"add column " + table.name + "." + column,
                       Filled(dialect.add_column, t, table, "", column + " " + type, "")});
  for (const Index& index : table.indexes)
    if (!Has(found.indexes, index.name))
      steps.push_back({"create index " + index.name + " on " + table.name + " " + index.columns,
                       Filled(dialect.add_index, t, table, index.name, "", index.columns)});
  for (const std::string& index : table.obsolete_indexes)
    if (Has(found.indexes, index))
      steps.push_back(
          {"drop index " + index + " of " + table.name, Filled(dialect.drop_index, t, table, index, "", "")});
  return steps;
}

std::vector<Step> TableSteps(const Tables& t, const std::vector<Table>& wanted, const FoundTables& found,
                             const SchemaDialect& dialect) {
  std::vector<Step> steps;
  for (const Table& table : wanted) {
    const auto there = found.find(table.name);
    if (there == found.end()) {
      steps.push_back({"create table " + table.name, CreateTable(t, table)});
      for (const std::string& index : CreateIndexes(t, table, dialect)) steps.push_back({"", index});
    } else if (table.name != t.event_name) {
      for (Step& step : Upgrade(t, table, there->second, dialect)) steps.push_back(std::move(step));
    }
  }
  return steps;
}

std::vector<std::string> Phrases(const std::vector<Step>& steps) {
  std::vector<std::string> phrases;
  for (const Step& step : steps)
    if (!step.what.empty()) phrases.push_back(step.what);
  return phrases;
}

// PostgreSQL: lock not available, deadlock. MySQL: lock wait, deadlock.
bool IsLockWait(const Error& error) {
  return error.sqlstate == "55P03" || error.sqlstate == "40P01" || error.native_code == 1205 ||
         error.native_code == 1213;
}

void TryForLocks(Millis timeout, const std::function<void()>& change, const std::function<std::string()>& blocker) {
  constexpr Millis kPause{500};
  const auto begun = std::chrono::steady_clock::now();
  for (int tries = 1;; ++tries) {
    try {
      return change();
    } catch (const Error& error) {
      if (!IsLockWait(error)) throw;
      const auto elapsed = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - begun);
      if (elapsed > timeout * 3 / 4)
        throw Error(OUTBOX_TIMEOUT,
                    "the tables are locked by other transactions: " + std::to_string(tries) + " tries in " +
                        std::to_string(elapsed.count()) + " ms, each short so that nobody waits behind it. " +
                        blocker() + "Run migrate again when they have ended",
                    error.sqlstate, error.native_code);
    }
    std::this_thread::sleep_for(kPause);
  }
}

bool IsOriginal(const Tables& t, const Table& table, const std::string& column) {
  const Names& names = OriginalOf(t, table);
  return std::find(names.begin(), names.end(), column) != names.end();
}

void RequireCompanions(const Tables& t, const std::vector<Table>& wanted, const FoundTables& found) {
  std::string foreign;
  for (const Table& table : wanted) {
    const auto it = found.find(table.name);
    if (table.name == t.event_name || it == found.end()) continue;
    std::string lacking;
    for (const std::string_view column : OriginalOf(t, table))
      if (!it->second.columns.contains(std::string(column))) lacking.append(lacking.empty() ? "" : ", ").append(column);
    if (it->second.is_table && lacking.empty()) continue;
    foreign += (foreign.empty() ? "" : "; ") + Quoted(table.name) +
               (it->second.is_table ? " lacks the columns " + lacking : " is not a table");
  }
  if (foreign.empty()) return;
  throw Error(OUTBOX_BAD_CONFIG, "names of the outbox's companion tables are taken by something else: " + foreign +
                                     ". Nothing was changed; " + OtherName());
}

void RequireKnownVersion(const Meta& meta) {
  if (meta.version > kSchemaVersion)
    throw Error(OUTBOX_BAD_CONFIG, "the tables have version " + std::to_string(meta.version) +
                                       " and this relay knows " + std::to_string(kSchemaVersion) +
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

bool LooksLikeOutbox(const FoundTable& table) {
  constexpr std::array kColumns{"id", "topic", "aggregate_id", "event_type", "payload"};
  return std::all_of(kColumns.begin(), kColumns.end(), [&](const char* c) { return table.columns.contains(c); });
}

void RequireFree(const Tables& t, const Meta& meta, const std::vector<std::string>& others, bool ignore_case) {
  if (meta.outbox && SameName(*meta.outbox, t.event_name, ignore_case)) return;
  const std::string companions = "the companion tables " + Quoted(t.prefix + "_meta") + " and so on ";
  if (meta.outbox) {
    const auto recorded = [&](const std::string& name) { return SameName(name, *meta.outbox, ignore_case); };
    if (std::none_of(others.begin(), others.end(), recorded)) return;  // that table was renamed or dropped
    throw Error(OUTBOX_BAD_CONFIG, companions + "belong to the outbox " + Quoted(*meta.outbox) + ", so " +
                                       Quoted(t.event_name) + " cannot use them. Nothing was changed; " + OtherName());
  }
  if (others.empty()) return;
  throw Error(OUTBOX_BAD_CONFIG,
              companions + "do not say yet which outbox they belong to, and it may be " + Quoted(t.event_name) +
                  " or " + Quoted(others.front()) +
                  ". Nothing was changed; record the owner, then run migrate for it again: alter table " + t.meta +
                  " add column outbox text; update " + t.meta + " set outbox = '" + t.event_name + "';");
}

}  // namespace outbox::sql
