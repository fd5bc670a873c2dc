#include "postgres/role_settings.hpp"

#include "postgres/errors.hpp"

namespace outbox::postgres {
namespace {

constexpr const char* kReadOnlySetting = "default_transaction_read_only";

// Names are qualified, because the search path may be wrong.
constexpr const char* kReadOnly = R"(
select cast(pg_catalog.pg_is_in_recovery() as text), s.setting, s.source,
  pg_catalog.quote_ident(session_user), pg_catalog.quote_ident(pg_catalog.current_database())
from pg_catalog.pg_settings s where s.name = 'default_transaction_read_only')";

// Returns the schemas of the path that exist and that the role may use; and a schema that has tables of an outbox with
// this name and is not the one in which the path finds the outbox.
constexpr const char* kPath = R"(
select s.setting,
  (select string_agg(cast(p.name as text), ', ' order by p.place)
   from unnest(pg_catalog.current_schemas(false)) with ordinality p (name, place) where p.name !~ '^pg_temp'),
  s.source, pg_catalog.quote_ident(session_user), pg_catalog.quote_ident(pg_catalog.current_database()),
  (select cast(n.nspname as text) from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
   where c.relname in (cast(:table as text), cast(:meta as text)) and c.relkind in ('r', 'p')
     and c.relpersistence <> 't' and n.oid is distinct from (select h.relnamespace from pg_catalog.pg_class h
       where h.oid = pg_catalog.to_regclass(pg_catalog.quote_ident(cast(:again as text))))
   order by c.relname = cast(:preferred as text) desc, n.nspname limit 1)
from pg_catalog.pg_settings s where s.name = 'search_path')";

// The place where a setting was made according to pg_settings.source, such as "for the role", and the statement that
// resets it; both may be "".
struct Origin {
  std::string place, fix;
};

Origin OriginOf(const std::string& setting, const std::string& source, const std::string& role,
                const std::string& database) {
  const std::string reset = " reset " + setting + ";";
  // The fix begins a read-write transaction, because the same setting may make the session read-only in which the fix
  // is run.
  const auto alter = [&](const std::string& what) {
    return setting == kReadOnlySetting ? "begin read write; alter " + what + reset + " commit;"
                                       : "alter " + what + reset;
  };
  if (source == "user") return {"for the role", alter("role " + role)};
  if (source == "database") return {"for the database", alter("database " + database)};
  if (source == "database user")
    return {"for the role in this database", alter("role " + role + " in database " + database)};
  if (source == "global") return {"for all roles", alter("role all")};
  if (source == "client") return {"by the connection", "remove it from 'options' in 'connection', or from PGOPTIONS"};
  if (source == "configuration file" || source == "command line")
    return {"for the server", "alter system" + reset + " select pg_reload_conf(); or correct postgresql.conf"};
  return {};
}

sql::Row AskPath(sql::Statements& db, const sql::Tables& t) {
  return db.Run({kPath, {t.event_name, t.prefix + "_meta", t.event_name, t.prefix + "_meta"}}).at(0);
}

}  // namespace

Error WhyReadOnly(sql::Statements& db) {
  const sql::Row row = db.Run({kReadOnly, {}}).at(0);
  if (row[0] == "true") return ReadOnly("the server is a standby and read-only", kUsePrimary);
  const Origin origin = OriginOf(kReadOnlySetting, row[2].value_or(""), row[3].value_or(""), row[4].value_or(""));
  if (row[1] != "on" || origin.place.empty()) return ReadOnly();
  return ReadOnly("the session is read-only, because " + std::string(kReadOnlySetting) + " is on " + origin.place,
                  "to make the outbox writable: " + origin.fix);
}

std::string FixMissingTable(sql::Statements& db, const sql::Tables& given) {
  if (!given.schema.empty()) return sql::kMigrate;
  const sql::Row row = AskPath(db, given);
  const std::string path = row[0].value_or(""), schemas = row[1].value_or("");
  const Origin origin = OriginOf("search_path", row[2].value_or(""), row[3].value_or(""), row[4].value_or(""));
  const bool elsewhere = row[5].has_value();
  if (!elsewhere && !schemas.empty()) return sql::kMigrate;
  const std::string schema = row[5].value_or("SCHEMA");
  std::string fix = "search_path is '" + path + "'" + (origin.place.empty() ? "" : ", set " + origin.place) +
                    (elsewhere ? ", but schema \"" + schema + "\" contains tables of an outbox with this name"
                               : ", which names no schema that exists and that the role can use") +
                    ": name the schema in /storage/options, \"table\": \"" + schema + "." + given.event_name + "\"";
  if (!origin.fix.empty()) fix += ", or correct the setting: " + origin.fix;
  const std::string next = fix.ends_with(';') ? " " : "; ";
  if (!elsewhere) return fix + next + "then " + sql::kMigrate;
  return schemas.empty() ? fix
                         : fix + next + "to create a separate outbox in schema \"" +
                               schemas.substr(0, schemas.find(',')) + "\" " + sql::kMigrate;
}

void RequireSchema(sql::Statements& db, const sql::Tables& given) {
  if (!given.schema.empty()) return;
  if (AskPath(db, given)[1].value_or("").empty())
    throw Error(OUTBOX_BAD_CONFIG, "PostgreSQL: no schema to create tables in; " + FixMissingTable(db, given), "3F000");
}

}  // namespace outbox::postgres
