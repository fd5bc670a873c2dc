#include "mysql/others.hpp"

#include <cctype>
#include <charconv>
#include <iterator>

#include "mysql/errors.hpp"
#include "mysql/schema.hpp"
#include "sql/others.hpp"
#include "sql/sql_template.hpp"

namespace outbox::mysql {
namespace {

using sql::Places;
using sql::Question;
using sql::Text;

// The queries below compare schema and table only with constants. For any other expression MariaDB would open every
// table of the server.
constexpr const char* kViewSql = R"(select 'error', '[shown]', 'a view', '[fix]' from information_schema.tables
where table_schema = [schema] and table_name = '[table]' and table_type like '%VIEW')";

// Gives rows with ids below 1 new ids: the script deletes the rows and inserts them again. An error rolls back only the
// statement that caused it, so the script commits only if the insert has added rows.
constexpr const char* kInsertAgain =
    "begin; create temporary table outbox_low as select * from {event} where id < 1; delete from {event} where id in"
    " (select id from outbox_low); " OUTBOX_LOW_AGAIN
    "set @outbox_low = if(row_count() > 0, 'commit', 'do 0'); prepare outbox_low from @outbox_low; execute outbox_low;"
    " rollback; drop temporary table outbox_low;" OUTBOX_COPIES;

constexpr Text kEngine{"table [1] uses the storage engine [2], which has no transactions",
                       "alter table [3] engine = InnoDB;"};
constexpr const char* kEngineSql = R"(select 'error', '[shown]', coalesce(engine, 'nothing'), '[quoted]'
from information_schema.tables where table_schema = [schema] and table_name = '[table]' and table_type not like '%VIEW'
  and coalesce(engine, '') <> 'InnoDB')";

constexpr Text kVersioned{"table [1] keeps its history (system versioning): every delivered row stays in it",
                          "alter table [2] drop system versioning;"};
constexpr const char* kVersionedSql = R"(select 'warning', '[shown]', '[quoted]' from information_schema.tables
where table_schema = [schema] and table_name = '[table]' and table_type = 'SYSTEM VERSIONED')";

constexpr const char* kTriggersSql = R"(select 'warning', '[shown]', trigger_name,
  lower(concat(action_timing, ' ', event_manipulation)),
  case when action_timing = 'BEFORE' and event_manipulation = 'INSERT' then 'its changes to a row are sent'
    else 'an error in it makes the write fail' end,
  concat('drop trigger if exists `', trigger_schema, '`.`', trigger_name, '`; -- not necessary if the trigger can never fail and its changes, if any, are intended')
from information_schema.triggers where event_object_schema = [schema] and event_object_table = '[table]'
  and event_manipulation in ([writes]) order by trigger_name)";

constexpr const char* kKeysOfTableSql = R"(select 'warning', '[shown]', constraint_name, referenced_table_name,
  lower(delete_rule), concat('alter table [quoted] drop foreign key `', constraint_name, '`;')
from information_schema.referential_constraints where constraint_schema = [schema] and table_name = '[table]'
  and delete_rule in ('CASCADE', 'SET NULL', 'SET DEFAULT') order by constraint_name)";

// Finds columns that are NOT NULL, have no default, and are not filled by an insert. An insert of the relay into a
// companion table fills all columns that the relay knows, and no others.
constexpr const char* kUnfilledSql = R"(select if('[kind]' = 'event', 'warning', 'error'), '[shown]', column_name,
  if('[kind]' = 'event', ')" OUTBOX_INSERTERS R"(', 'the relay'),
  case when '[kind]' = 'event' and column_name = 'event_id'
    then concat('alter table [quoted] modify column event_id ', column_type, ' not null default (uuid());')
    when '[kind]' = 'event' and column_name = 'created_at'
    then concat('alter table [quoted] modify column created_at ', column_type, ' not null default current_timestamp(',
      if(datetime_precision > 0, datetime_precision, ''), ');')
    else concat('alter table [quoted] modify column `', column_name, '` ', column_type, ' null;') end
from information_schema.columns where table_schema = [schema] and table_name = '[table]' and is_nullable = 'NO'
  and column_default is null and extra not like '%auto_increment%' and extra not like '%DEFAULT_GENERATED%'
  and coalesce(generation_expression, '') = '' and column_name not in ([filled]) order by ordinal_position)";

constexpr const char* kGeneratedSql = R"(select 'warning', '[shown]', column_name,
  concat('alter table [quoted] modify column `', column_name, '` ', column_type, ' null;')
from information_schema.columns where table_schema = [schema] and table_name = '[table]'
  and coalesce(generation_expression, '') <> '' and column_name in ([written]) order by ordinal_position)";

constexpr const char* kNullableSql = R"(select 'warning', '[shown]', column_name,
  concat('alter table [quoted] modify column `', column_name, '` ', column_type, ' not null',
    if(column_name = 'event_id', ' default (uuid())', ''), ';')
from information_schema.columns where table_schema = [schema] and table_name = '[table]' and '[kind]' = 'event'
  and is_nullable = 'YES' and coalesce(generation_expression, '') = ''
  and column_name in ('event_id', 'topic', 'event_type') order by ordinal_position)";

constexpr const char* kUniqueSql = R"(select 'warning', '[shown]', index_name,
  group_concat(coalesce(column_name, 'an expression') order by seq_in_index separator ', '),
  concat('drop index `', index_name, '` on [quoted];')
from information_schema.statistics where table_schema = [schema] and table_name = '[table]' and non_unique = 0
  and index_name <> 'PRIMARY' group by index_name
having sum(coalesce(column_name, '') in ([identity])) = 0 order by index_name)";

constexpr const char* kKeySql = R"(select 'error', '[shown]', '[key]',
  'alter table [quoted] add primary key ([key]);' from information_schema.tables t
where t.table_schema = [schema] and t.table_name = '[table]' and '[kind]' <> 'event' and t.table_type not like '%VIEW'
  and not exists (
  select 1 from information_schema.statistics s where s.table_schema = [schema] and s.table_name = '[table]'
    and s.non_unique = 0 and s.seq_in_index = 1 and s.column_name = '[key]' and not exists (
    select 1 from information_schema.statistics m where m.table_schema = [schema] and m.table_name = '[table]'
      and m.index_name = s.index_name and m.seq_in_index = 2)))";

// Finds check constraints. MariaDB itself creates a check constraint for each column of type json, and gives the
// constraint the name of the column.
constexpr const char* kChecksSql = R"(select 'warning', '[shown]', constraint_name,
  concat('alter table [quoted] drop constraint `', constraint_name, '`;')
from information_schema.table_constraints where constraint_schema = [schema] and table_name = '[table]'
  and constraint_type = 'CHECK' and '[kind]' not in ('event', 'meta') and constraint_name not in ([known])
order by constraint_name)";

constexpr Text kCollation{
    "columns of table [1] do not compare byte by byte ([2]): different keys or relay ids may compare as equal",
    "alter table [3] convert to character set utf8mb4 collate utf8mb4_bin;"};
constexpr const char* kCollationSql = R"(select 'warning', '[shown]', min(collation_name), '[quoted]'
from information_schema.columns where table_schema = [schema] and table_name = '[table]' and '[kind]' <> 'event'
  and column_name in ('aggregate_id', 'relay_id', 'owner')
  and (character_set_name <> 'utf8mb4' or right(collation_name, 4) <> '_bin') having count(*) > 0)";

constexpr const char* kSmallSql = R"(select 'warning', '[shown]', column_type,
  'alter table [quoted] modify column id bigint not null auto_increment;'
from information_schema.columns where table_schema = [schema] and table_name = '[table]' and '[kind]' = 'event'
  and column_name = 'id' and data_type in ('int', 'mediumint', 'smallint', 'tinyint'))";

constexpr const char* kRunOutSql = R"(select 'warning', '[shown]', l.last, l.most, if(l.most < 9223372036854775807,
  'alter table [quoted] modify column id bigint not null auto_increment;',
  'stop the writers, let the relay empty the outbox, stop the relay, check that no row is left, then run truncate table [quoted];')
from (select t.auto_increment as last, case c.data_type when 'int' then 2147483647 when 'mediumint' then 8388607
    when 'smallint' then 32767 when 'tinyint' then 127 else 9223372036854775807 end *
    if(c.column_type like '%unsigned%' and c.data_type <> 'bigint', 2, 1) as most
  from information_schema.tables t join information_schema.columns c
    on c.table_schema = t.table_schema and c.table_name = t.table_name
  where t.table_schema = [schema] and t.table_name = '[table]' and c.table_schema = [schema]
    and c.table_name = '[table]' and c.column_name = 'id' and '[kind]' = 'event') l
where l.last > l.most / 10 * 8)";

constexpr Question kQuestions[] = {
    {kEngine, kEngineSql},          {kVersioned, kVersionedSql},
    {sql::kTrigger, kTriggersSql},  {sql::kKeyOfTable, kKeysOfTableSql},
    {sql::kUnfilled, kUnfilledSql}, {sql::kGenerated, kGeneratedSql},
    {sql::kNullable, kNullableSql}, {sql::kUniqueIndex, kUniqueSql},
    {sql::kNoKey, kKeySql},         {sql::kCheckConstraint, kChecksSql},
    {kCollation, kCollationSql},    {sql::kSmallIds, kSmallSql},
    {sql::kIdsRunOut, kRunOutSql},
};

// kDefinersSql and kKeysToTableSql need privileges that the relay's user may lack.
constexpr Text kNoDefiner{
    "trigger [2] on table [1] runs as [3], a user that does not exist: every write there is refused",
    "drop trigger if exists [2]; -- and create it again, as a user that exists"};
constexpr const char* kDefinersSql =
    R"(select 'error', '[shown]', concat('`', trigger_schema, '`.`', trigger_name, '`'),
  definer from information_schema.triggers where event_object_schema = [schema] and event_object_table = '[table]'
  and event_manipulation in ([writes])
  and definer not in (select concat(user, '@', host) from mysql.user) order by trigger_name)";

constexpr const char* kKeysToTableSql = R"(select 'warning', '[shown]', substring_index(id, '/', -1), for_name,
  case when type & 1 then ')" OUTBOX_CASCADES R"(' when type & 2 then ')" OUTBOX_CHANGES R"('
    else ')" OUTBOX_CANNOT_DELETE R"(' end,
  concat('alter table `', replace(for_name, '/', '`.`'), '` drop foreign key `', substring_index(id, '/', -1), '`;')
from information_schema.[innodb] where ref_name = '[innodb name]' order by id)";

// Finds foreign keys to the table without the privilege that kKeysToTableSql needs, but only foreign keys of tables in
// the outbox's database that the relay's user can see.
constexpr const char* kKnownKeysToTableSql = R"(select 'warning', '[shown]', constraint_name, table_name,
  case delete_rule when 'CASCADE' then ')" OUTBOX_CASCADES R"(' when 'SET NULL' then ')" OUTBOX_CHANGES R"('
    else ')" OUTBOX_CANNOT_DELETE R"(' end,
  concat('alter table `', constraint_schema, '`.`', table_name, '` drop foreign key `', constraint_name, '`;')
from information_schema.referential_constraints where constraint_schema = [schema] and referenced_table_name = '[table]'
order by constraint_name)";

constexpr const char* kMaySeeTriggers = R"(select
  (select count(*) from information_schema.user_privileges where privilege_type = 'TRIGGER' and grantee = :one)
  + (select count(*) from information_schema.schema_privileges where privilege_type = 'TRIGGER' and grantee = :two
     and [schema] like table_schema)
  + (select count(*) from information_schema.table_privileges where privilege_type = 'TRIGGER' and grantee = :three
     and table_schema = [schema] and table_name = '[table]'))";

// Returns `name` in InnoDB's encoding of names.
std::string InnodbName(const std::string& name) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string encoded;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '_')
      encoded += c;
    else
      encoded += std::string("@00") + kDigits[byte >> 4U] + kDigits[byte & 15U];
  }
  return encoded;
}

// Returns `text` with all names decoded that are in InnoDB's encoding. Characters beyond ASCII stay encoded.
std::string Decoded(std::string text) {
  constexpr std::string_view kSign = "@00";
  for (auto at = text.find(kSign); at != std::string::npos && at + 5 <= text.size(); at = text.find(kSign, at + 1)) {
    int code = 0;
    const char* const digits = text.data() + at + kSign.size();
    if (std::from_chars(digits, digits + 2, code, 16).ptr != digits + 2 || code < 0x20 || code > 0x7e) continue;
    text.replace(at, 5, 1, static_cast<char>(code));
  }
  return text;
}

std::string SchemaOf(sql::Statements& db, const sql::Tables& t) {
  return t.schema.empty() ? db.Run({"select coalesce(database(), '')", {}}).at(0)[0].value_or("") : t.schema;
}

std::vector<Places> PlacesOf(const std::string& schema, const sql::Tables& t, bool is_mariadb) {
  std::vector<Places> all = sql::PlacesOf(t, Wanted(t));
  const std::vector<std::string> names = sql::NamesOf(t);
  for (std::size_t i = 0; i < all.size(); ++i)
    all[i].insert(all[i].end(), {{"[schema]", t.schema.empty() ? "database()" : "'" + t.schema + "'"},
                                 {"[innodb]", is_mariadb ? "innodb_sys_foreign" : "innodb_foreign"},
                                 {"[innodb name]", InnodbName(schema) + "/" + InnodbName(names[i])}});
  return all;
}

void Append(std::vector<Finding>& findings, std::vector<Finding> more) {
  std::move(more.begin(), more.end(), std::back_inserter(findings));
}

// Runs the query of `question` and adds the results to `findings`. Returns false if the relay's user lacks the
// privilege for the query.
bool TryToAsk(Client& db, const Question& question, const Places& places, std::vector<Finding>& findings) {
  try {
    for (sql::Row& row : db.Run({sql::Filled(question.sql, places), {}})) {
      for (sql::Value& value : row)
        if (value) value = Decoded(*value);
      findings.push_back(sql::FindingOf(question.text, row));
    }
    return true;
  } catch (const Error& error) {
    if (!IsDenied(static_cast<unsigned>(error.native_code))) throw;
    return false;
  }
}

Finding Unseen(const std::string& user, bool triggers, bool keys, const std::string& schema, const sql::Tables& t) {
  const std::string list = sql::InQuotes(sql::NamesOf(t));
  Finding note{
      false,
      "user " + user + " cannot see " + (triggers ? "the triggers of the outbox's tables" : "") +
          (triggers && keys ? " or " : "") + (keys ? "foreign keys of other tables to the outbox's tables" : "") +
          ", so they were not checked",
      std::string("as an administrator run:") +
          (triggers ? "\nselect trigger_name, action_timing, event_manipulation, event_object_table, definer from"
                      " information_schema.triggers where event_object_schema = '" +
                          schema + "' and event_object_table in (" + list + ");"
                    : "") +
          (keys ? "\nselect table_schema, table_name, constraint_name, referenced_table_name from"
                  " information_schema.key_column_usage where referenced_table_schema = '" +
                      schema + "' and referenced_table_name in (" + list + ");"
                : "")};
  note.note = true;
  return note;
}

// Finds temporary tables that hide tables of the outbox. The catalogue does not list temporary tables.
void FindTemporary(sql::Statements& db, const sql::Tables& t, std::vector<Finding>& findings) {
  for (const std::string& table : {t.event, t.retry, t.dead, t.relay, t.shard, t.meta}) try {
      const sql::Rows made = db.Run({"show create table " + table, {}});
      if (!made.empty() && made[0].at(1).value_or("").starts_with("CREATE TEMPORARY"))
        findings.push_back(
            {true, "table " + table + " is a temporary table of the relay's own session, which hides the real one",
             "remove 'create temporary table' from the server's init_connect"});
    } catch (const Error& error) {  // the table does not exist, or the relay's user cannot see it
      if (error.code == OUTBOX_UNAVAILABLE || error.code == OUTBOX_TIMEOUT || error.code == OUTBOX_CANCELLED) throw;
    }
}

}  // namespace

std::vector<Finding> FindViews(sql::Statements& db, const sql::Tables& tables) {
  std::vector<sql::Statement> statements;
  for (const Places& places : PlacesOf(SchemaOf(db, tables), tables, false))
    statements.push_back({sql::Filled(kViewSql, places), {}});
  std::vector<Finding> findings;
  for (const sql::Rows& rows : db.RunTogether(statements))
    for (const sql::Row& row : rows) findings.push_back(sql::FindingOf(sql::kDerived, row));
  FindTemporary(db, tables, findings);
  return findings;
}

std::vector<Finding> FindLowIds(sql::Statements& db, const sql::Tables& tables) {
  return sql::FindLowIds(db, tables, kInsertAgain);
}

void RequireAllRows(sql::Statements& db, const sql::Tables& tables) {
  sql::RequireNone(FindViews(db, tables), "MySQL");
  sql::RequireNone(FindLowIds(db, tables), "MySQL");
}

std::vector<Finding> FindOthers(Client& db, const sql::Tables& tables, const std::string& user) {
  const std::string schema = SchemaOf(db, tables);
  const auto all = PlacesOf(schema, tables, db.server().is_mariadb);
  std::vector<Finding> findings;
  bool triggers_unseen = false, keys_unseen = false;
  for (const Places& places : all) {
    Append(findings, sql::Ask(db, kQuestions, places));
    (void)TryToAsk(db, {kNoDefiner, kDefinersSql}, places, findings);
    if (keys_unseen || !TryToAsk(db, {sql::kKeyToTable, kKeysToTableSql}, places, findings)) {
      keys_unseen = true;
      (void)TryToAsk(db, {sql::kKeyToTable, kKnownKeysToTableSql}, places, findings);
    }
    const sql::Rows seen = db.Run({sql::Filled(kMaySeeTriggers, places), {user, user, user}});
    triggers_unseen = triggers_unseen || sql::ToNumber(seen.at(0)[0]) == 0;
  }
  if (triggers_unseen || keys_unseen) findings.push_back(Unseen(user, triggers_unseen, keys_unseen, schema, tables));
  return findings;
}

std::string FixWrongId(sql::Statements& db, const sql::Tables& tables, const std::string& type, bool becomes_event_id) {
  const sql::Rows is =
      db.Run({"select column_type, (select count(*) from information_schema.statistics where table_schema"
              " = coalesce(nullif(:schema, ''), database()) and table_name = :table and index_name ="
              " 'PRIMARY') from information_schema.columns where table_schema = coalesce(nullif(:again,"
              " ''), database()) and table_name = :name and column_name = 'id'",
              {tables.schema, tables.event_name, tables.schema, tables.event_name}});
  const std::string kept = becomes_event_id ? "event_id" : "old_id";
  const bool has_key = !is.empty() && sql::ToNumber(is[0][1]) > 0;
  return sql::Fill(
      "alter table [quoted] [drop]change column id [kept] [type] not null[default], add column id bigint not"
      " null auto_increment primary key first;\n"
      "-- This copies the table. The former id becomes [kept], so statements and foreign keys that name it must"
      " be changed;\n"
      "-- waiting rows are numbered in the order in which they lie in the table, which need not be the order of"
      " their insertion.",
      {{"[quoted]", tables.event},
       {"[drop]", has_key ? "drop primary key, " : ""},
       {"[kept]", kept},
       {"[type]", is.empty() ? type : is[0][0].value_or(type)},
       {"[default]", becomes_event_id ? " default (uuid())" : ""}});
}

}  // namespace outbox::mysql
