#include "sql/outbox_tables.hpp"

#include <algorithm>

#include "sql/sql_template.hpp"

namespace outbox::sql {

std::vector<Table> OutboxTables(const Tables& t, const TypeDialect& dialect) {
  using K = ColumnKind;
  const auto type = [&](K kind) {
    const auto is = [kind](const auto& one) { return one.first == kind; };
    const auto found = std::find_if(dialect.types.begin(), dialect.types.end(), is);
    return std::string(found == dialect.types.end() ? dialect.text : found->second);
  };
  const auto is = [&](const char* name, K kind, int since = 1) { return Column{name, type(kind), since}; };
  const auto behind = [&](const char* name, K kind, std::string_view what) {
    return Column{name, type(kind).append(what)};
  };
  const auto key = [&](const char* name, K kind) { return behind(name, kind, dialect.key); };
  const auto must = [&](const char* name, K kind) { return behind(name, kind, " not null"); };
  const auto from = [&](const char* name, K kind, const char* value) {
    return behind(name, kind, Fill(dialect.initial, {{"[value]", value}}));
  };
  return {
      {"event",
       t.event_name,
       {is("id", K::kNewId), is("event_id", K::kNewEventId), must("topic", K::kTopic), is("aggregate_id", K::kName),
        must("event_type", K::kName), is("payload", K::kPayload), is("headers", K::kHeaders),
        is("created_at", K::kCreated)}},
      // next_try is NULL if the event is blocked, or if it was delivered and the database refused to delete its row.
      // In the latter case remove_at is the time of the next attempt to delete it. event_id is needed beside row_id,
      // because ids are assigned again after a TRUNCATE.
      {"retry",
       t.prefix + "_retry",
       {key("row_id", K::kBigNumber), must("event_id", K::kEventId), is("aggregate_id", K::kText),
        must("attempts", K::kNumber), is("next_try", K::kDue), is("remove_at", K::kDue, 2),
        is("first_failed", K::kTime), is("last_failed", K::kTime), must("reason", K::kName), must("error", K::kError)}},
      {"dead",
       t.prefix + "_dead",
       {key("row_id", K::kBigNumber), must("event_id", K::kEventId), must("topic", K::kText),
        is("aggregate_id", K::kText), must("event_type", K::kText), is("payload", K::kPayload),
        is("headers", K::kHeaders), is("created_at", K::kCopiedTime), must("attempts", K::kNumber),
        is("first_failed", K::kTime), is("died_at", K::kTime), must("reason", K::kName), must("error", K::kError)}},
      {"relay", t.prefix + "_relay", {key("relay_id", K::kName), is("expires", K::kExpiry)}},
      {"shard",
       t.prefix + "_shard",
       {key("shard", K::kNumber), is("owner", K::kName), from("token", K::kBigNumber, "0"),
        from("state", K::kState, "'free'"), from("lost", K::kNumber, "0"), is("suspect", K::kBigNumber),
        is("suspect_token", K::kBigNumber), from("suspect_owners", K::kNumber, "0")}},
      // The only row of the meta table is also the lock that every change of the shards' owners takes first.
      {"meta",
       t.prefix + "_meta",
       {is("only_row", K::kOnlyRow), must("version", K::kNumber), must("shards", K::kNumber),
        is("outbox", K::kName, 2)}},
  };
}

void AddCopies(std::vector<Table>& tables, const Tables& t,
               const std::function<std::string(const std::string&)>& type) {
  if (!t.captured) return;
  for (const std::string& copy : t.captured->Copies())
    if (const std::string is = type(copy); !is.empty())
      for (const auto which : {kEvent, kDead})
        tables[which].columns.push_back({copy, is, kSchemaVersion, t.Column(copy)});
}

std::vector<std::string> NamesOf(const Tables& t) {
  return {t.event_name,        t.prefix + "_retry", t.prefix + "_dead",
          t.prefix + "_relay", t.prefix + "_shard", t.prefix + "_meta"};
}

Column& ColumnOf(Table& table, std::string_view name) {
  return *std::find_if(table.columns.begin(), table.columns.end(), [&](const Column& c) { return c.name == name; });
}

std::vector<std::pair<std::string, std::vector<std::string>>> RelayRights(const Tables& t) {
  return {
      {t.event_name, {"SELECT", "DELETE"}},
      {t.prefix + "_retry", {"SELECT", "INSERT", "UPDATE", "DELETE"}},
      {t.prefix + "_dead", {"SELECT", "INSERT", "DELETE"}},
      {t.prefix + "_relay", {"SELECT", "INSERT", "UPDATE", "DELETE"}},
      {t.prefix + "_shard", {"SELECT", "UPDATE"}},
      {t.prefix + "_meta", {"SELECT", "UPDATE"}},
  };
}

}  // namespace outbox::sql
