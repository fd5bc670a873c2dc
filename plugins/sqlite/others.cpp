#include "sqlite/others.hpp"

#include <algorithm>
#include <cctype>
#include <iterator>

#include "sql/others.hpp"
#include "sqlite/schema.hpp"

namespace outbox::sqlite {
namespace {

using sql::Places;
using sql::Question;
using sql::Row;
using sql::Text;

constexpr const char* kViewSql =
    R"(select 'error', '[shown]', case type when 'view' then 'a view' else 'a virtual table' end,
  '[fix]' from sqlite_master where name = '[table]' collate nocase
  and (type = 'view' or (type = 'table' and lower(substr(sql, 1, 14)) = 'create virtual')))";

// A fix that creates the table again, because SQLite cannot change a column in place.
#define OUTBOX_AGAIN "create the table again, as `outbox-relay migrate --print` shows it"

constexpr const char* kUnfilledSql =
    R"(select case '[kind]' when 'event' then 'warning' else 'error' end, '[shown]', name,
  case '[kind]' when 'event' then ')" OUTBOX_INSERTERS R"(' else 'the relay' end,
  ')" OUTBOX_AGAIN R"(, with a default for the column or without its NOT NULL'
from pragma_table_xinfo('[table]') where "notnull" = 1 and dflt_value is null and pk = 0 and hidden = 0
  and name not in ([filled]))";

constexpr const char* kGeneratedSql = R"(select 'warning', '[shown]', name, ')" OUTBOX_AGAIN R"('
from pragma_table_xinfo('[table]') where hidden in (2, 3) and name in ([known]))";

constexpr const char* kNullableSql = R"(select 'warning', '[shown]', name, ')" OUTBOX_AGAIN R"('
from pragma_table_xinfo('[table]') where '[kind]' = 'event' and "notnull" = 0 and hidden = 0
  and name in ('event_id', 'topic', 'event_type'))";

constexpr const char* kUniqueSql = R"(select 'warning', '[shown]', l.name,
  (select group_concat(coalesce(i.name, 'an expression'), ', ') from pragma_index_info(l.name) i),
  case l.origin when 'c' then 'drop index "' || l.name || '";' else ')" OUTBOX_AGAIN R"(' end
from pragma_index_list('[table]') l where l."unique" = 1 and l.origin <> 'pk' and not exists (
  select 1 from pragma_index_info(l.name) i where coalesce(i.name, '') in ([identity])))";

constexpr const char* kKeysOfTableSql = R"(select 'warning', '[shown]', f."from", f."table", lower(f.on_delete),
  ')" OUTBOX_AGAIN R"(, without the foreign key'
from pragma_foreign_key_list('[table]') f where f.on_delete in ('CASCADE', 'SET NULL', 'SET DEFAULT'))";

// The relay's connection does not enforce foreign keys (pragma foreign_keys is off), because with enforcement the relay
// could not delete rows to which other rows refer.
constexpr const char* kKeysToTableSql = R"(select 'warning', '[shown]', f."from", s.name,
  'the relay deletes delivered rows even if others refer to them, and such a reference then points to no row',
  'create table "' || s.name || '" again without the foreign key'
from sqlite_master s join pragma_foreign_key_list(s.name) f
where s.type = 'table' and f."table" = '[table]' collate nocase and s.name not in ([tables]))";

constexpr Text kStrict{
    "table [1] is STRICT: a payload that is not of the type of its column is refused, also by `dead requeue`",
    OUTBOX_AGAIN};
constexpr const char* kStrictSql =
    R"(select 'warning', '[shown]' from sqlite_master where name = '[table]' collate nocase
  and type = 'table' and '[kind]' in ('event', 'dead') and lower(rtrim(sql)) like '%)%strict')";

constexpr const char* kRunOutSql = R"(select 'warning', '[shown]', cast(seq as text), '9223372036854775807',
  'stop the writers, let the relay empty the outbox, stop the relay, check that no row is left, then run update sqlite_sequence set seq = 0 where name = ''[table]'';'
from sqlite_sequence where name = '[table]' collate nocase and '[kind]' = 'event' and seq > 9223372036854775807 / 10 * 8)";

// Gives rows with ids below 1 new ids: the script deletes the rows and inserts them again. An error rolls back only the
// statement that caused it, so the script commits only if changes() shows that all rows were inserted. A delete of no
// rows sets changes() to 0, and an insert that fails leaves changes() at 0.
constexpr const char* kInsertAgain =
    "begin; " OUTBOX_EXPECT_ALL
    " create temporary table outbox_low as select * from {event} where id < 1; delete from {event} where id in"
    " (select id from outbox_low); delete from outbox_low where 0; " OUTBOX_LOW_AGAIN
    "insert or rollback into outbox_moved select changes() = (select count(*) from outbox_low); commit;"
    " drop table outbox_low;" OUTBOX_COPIES;

constexpr Question kQuestions[] = {
    {sql::kUnfilled, kUnfilledSql},  {sql::kGenerated, kGeneratedSql},    {sql::kNullable, kNullableSql},
    {sql::kUniqueIndex, kUniqueSql}, {sql::kKeyOfTable, kKeysOfTableSql}, {sql::kKeyToTable, kKeysToTableSql},
    {kStrict, kStrictSql},           {sql::kIdsRunOut, kRunOutSql},
};

void Ask(Connection& db, const Question& question, const Places& places, std::vector<Finding>& findings) {
  // The queries are not run in one transaction, because that would take the write lock.
  for (const Row& row : db.Run({sql::Filled(question.sql, places), {}}))
    findings.push_back(sql::FindingOf(question.text, row));
}

bool Exists(Connection& db, const std::string& table) {
  return !db.Run({"select name from sqlite_master where type = 'table' and name = :name collate nocase", {table}})
              .empty();
}

// The SQL of a trigger in lower case: its head up to the first statement, and the rest without blanks.
struct Trigger {
  explicit Trigger(const std::string& sql) {
    std::string text = ' ' + sql;
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::isspace(c) != 0 ? ' ' : std::tolower(c)); });
    const auto begin = std::min(text.find(" begin "), text.size());
    head = text.substr(0, begin);
    std::copy_if(text.begin() + static_cast<std::ptrdiff_t>(begin), text.end(), std::back_inserter(body),
                 [](char c) { return c != ' '; });
  }
  [[nodiscard]] bool Says(const char* word) const { return head.find(word) != std::string::npos; }
  [[nodiscard]] const char* Write() const {
    return Says(" delete on ") ? "delete" : Says(" insert on ") ? "insert" : "update";
  }
  // Returns true if the trigger suppresses every write, whatever the row is.
  [[nodiscard]] bool Ignores() const { return !Says(" when ") && body.starts_with("beginselectraise(ignore);"); }
  [[nodiscard]] bool MayIgnore() const { return body.find("raise(ignore)") != std::string::npos; }
  std::string head, body;
};

void FindTriggers(Connection& db, const std::string& table, bool outbox, std::vector<Finding>& findings) {
  for (const Row& row :
       db.Run({"select cast(name as text), cast(sql as text) from sqlite_master where type = 'trigger' and"
               " tbl_name = :table collate nocase order by name",
               {table}})) {
    const Trigger trigger(row[1].value_or(""));
    const std::string write = trigger.Write();
    if (outbox && write == "update") continue;
    const std::string when = std::string(trigger.Says(" before ") ? "before " : "after ") + write;
    const std::string drop = "drop trigger \"" + row[0].value_or("") + "\";";
    const bool certain = trigger.Ignores() && (write == "delete" || !outbox);
    const char* follows = certain               ? "raise(ignore) suppresses the write without an error"
                          : trigger.MayIgnore() ? "if it calls raise(ignore), the write is suppressed without an error"
                                                : "an error in it makes the write fail";
    findings.push_back(sql::FindingOf(
        sql::kTrigger,
        {certain ? "error" : "warning", table, row[0], when, follows,
         drop + (certain ? "" : " -- not necessary if the trigger can neither fail nor suppress a write")}));
  }
}

// The statements with which the relay writes to the tables. When SQLite prepares these statements, it reports names
// that do not exist, even names in the triggers that the statements fire.
constexpr const char* kWrites[] = {
    "delete from {event} where id between 1 and 2",
    "insert into {retry} (row_id) values (1) on conflict (row_id) do update set attempts = attempts + 1",
    "delete from {retry} where row_id = 1",
    "insert into {dead} (row_id) values (1)",
    "delete from {dead} where row_id = 1",
    "insert into {relay} (relay_id) values ('')",
    "update {relay} set expires = 1",
    "delete from {relay} where relay_id = ''",
    "update {shard} set token = token + 1 where shard = 1",
};

void TryWrites(Connection& db, const sql::Tables& tables, std::vector<Finding>& findings) {
  for (const char* sql : kWrites) {
    try {
      const Prepared prepared(db, tables.In(sql));
    } catch (const Error& error) {
      const std::string text = error.what();
      findings.push_back(
          {true, "the relay cannot run \"" + tables.In(sql) + "\": " + text.substr(0, text.find("; ")),
           "correct or drop the object that the error names, such as a trigger; then " + std::string(sql::kMigrate)});
      return;
    }
  }
}

}  // namespace

std::vector<Finding> FindViews(Connection& connection, const sql::Tables& tables) {
  std::vector<Finding> findings;
  for (const Places& places : sql::PlacesOf(tables, Wanted(tables)))
    Ask(connection, {sql::kDerived, kViewSql}, places, findings);
  return findings;
}

std::vector<Finding> FindLowIds(Connection& connection, const sql::Tables& tables) {
  return sql::FindLowIds(connection, tables, kInsertAgain);
}

void RequireAllRows(Connection& connection, const sql::Tables& tables) {
  sql::RequireNone(FindViews(connection, tables), "SQLite");
  sql::RequireNone(FindLowIds(connection, tables), "SQLite");
}

std::vector<Finding> FindOthers(Connection& connection, const sql::Tables& tables) {
  std::vector<Finding> findings;
  bool complete = true;
  const bool counted = Exists(connection, "sqlite_sequence");
  const std::vector<std::string> names = sql::NamesOf(tables);
  const std::vector<Places> all = sql::PlacesOf(tables, Wanted(tables));
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!Exists(connection, names[i])) {
      complete = false;
      continue;
    }
    FindTriggers(connection, names[i], i == sql::kEvent, findings);
    for (const Question& question : kQuestions)
      if (counted || question.sql != kRunOutSql) Ask(connection, question, all[i], findings);
  }
  const bool errors = std::any_of(findings.begin(), findings.end(), [](const Finding& f) { return f.error; });
  if (complete && !errors) TryWrites(connection, tables, findings);
  return findings;
}

}  // namespace outbox::sqlite
