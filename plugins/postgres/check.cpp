#include "postgres/check.hpp"

#include <algorithm>
#include <iterator>
#include <map>

#include "postgres/errors.hpp"
#include "postgres/ids.hpp"
#include "postgres/others.hpp"
#include "postgres/pooler.hpp"
#include "postgres/role_settings.hpp"
#include "postgres/row_security.hpp"
#include "postgres/schema.hpp"

namespace outbox::postgres {
namespace {

constexpr int kOldestServer = 130'000;

class Check {
 public:
  Check(Client& db, const sql::Tables& tables, const std::string& connection, Millis timeout)
      : db_(db), t_(tables), connection_(connection), timeout_(timeout) {}

  std::vector<Finding> Run() {
    Pooler();
    if (!Server()) return findings_;
    const bool complete = Tables();
    if (has_ids_) Append(CheckIds(db_, t_, oids_.at(t_.event_name), Name(t_.event_name)));
    Grants();
    if (!HasErrors()) Append(FindHiddenRows(db_, t_));
    if (complete && !HasErrors()) Meta();
    if (complete && !HasErrors()) Append(FindLowIds(db_, t_));
    Append(FindOthers(db_, t_, oids_));
    return std::move(findings_);
  }

 private:
  void Add(bool error, const std::string& what, const std::string& fix) { findings_.push_back({error, what, fix}); }
  void Append(std::vector<Finding> more) { std::move(more.begin(), more.end(), std::back_inserter(findings_)); }
  bool HasErrors() const {
    return std::any_of(findings_.begin(), findings_.end(), [](const Finding& f) { return f.error; });
  }
  std::string Name(const std::string& table) const { return t_.schema.empty() ? table : t_.schema + "." + table; }

  void Pooler() {
    const Pooling pooling = FindPooling(db_, connection_, t_, timeout_);
    if (pooling == Pooling::kNone) return;
    const bool kept = pooling == Pooling::kSession;
    Add(!kept,
        Describe(pooling) +
            (kept ? ": a relay takes 3 of them, 2 more for each further shard, 1 more with http and 1 with wake_up"
                  : ""),
        kept ? "" : kNeedsSession);
    findings_.back().note = kept;
  }

  bool Server() {
    const sql::Row row = db_.Run({"select current_setting('server_version_num'), current_setting('server_version'),"
                                  " current_setting('transaction_read_only'), cast(current_user as text),"
                                  " current_setting('fsync'), current_setting('synchronous_commit'),"
                                  " current_setting('server_encoding')",
                                  {}})
                             .at(0);
    role_ = '"' + row[3].value_or("") + '"';
    if (sql::ToNumber(row[0]) < kOldestServer) {
      Add(true, "PostgreSQL " + row[1].value_or("") + " is too old", "use PostgreSQL 13 or newer");
      return false;
    }
    if (row[2] == "on") throw WhyReadOnly(db_);
    if (row[4] == "off" || row[5] == "off")
      Add(false,
          "rows are seen before they are safe on disk (fsync=" + row[4].value_or("") + ", synchronous_commit=" +
              row[5].value_or("") + "): what a crash of the server takes back may have been sent",
          "set both to on, for the server and for the roles that write");
    if (row[6] == "SQL_ASCII")
      Add(false,
          "the encoding of the database is SQL_ASCII: the server does not know what its bytes mean, and they are"
          " sent as they are",
          "let all applications write UTF-8, or restore a dump into a database that is made with encoding 'UTF8'");
    return true;
  }

  // Through the catalog: a name that may not be used is as good as missing elsewhere.
  bool Tables() {
    bool complete = true;
    for (const sql::Table& table : Wanted(t_, "text")) {
      const sql::Rows rows = db_.Run(
          {"select cast(c.oid as text), cast(a.attname as text), format_type(a.atttypid, null), cast(c.relkind as text)"
           " from pg_class c join pg_namespace n on n.oid = c.relnamespace"
           " join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped where c.relname ="
           " cast(:table as text) and n.nspname = coalesce(nullif(cast(:schema as text), ''), (select m.nspname from"
           " unnest(current_schemas(false)) with ordinality as p(name, place) join pg_namespace m on m.nspname = "
           "p.name join"
           " pg_class d on d.relnamespace = m.oid and d.relname = cast(:again as text) order by p.place limit 1))",
           {table.name, t_.schema, table.name}});
      if (rows.empty()) {
        const std::string fix = FixMissingTable(db_, db_.given());
        Add(true, "table " + Name(table.name) + " is missing", complete || fix == sql::kMigrate ? fix : "");
        complete = false;
        continue;
      }
      // Columns of anything else, such as a view, cannot be changed there: it is a finding by itself.
      if (rows[0][3] == "r" || rows[0][3] == "p") {
        oids_[table.name] = rows[0][0].value_or("0");
        complete = Columns(table.name, table.columns, rows) && complete;
      }
    }
    return complete;
  }

  using Wants = std::vector<std::pair<std::string, std::string>>;

  bool Columns(const std::string& table, const Wants& columns, const sql::Rows& rows) {
    const auto find = [&](const std::string& column) {
      return std::find_if(rows.begin(), rows.end(), [&](const sql::Row& r) { return r[1] == column; });
    };
    bool complete = true, renamed = false;
    for (const auto& [column, type] : columns) {
      if (table == t_.event_name && column == "id") {
        const std::string is = find("id") != rows.end() ? (*find("id"))[2].value_or("") : "";
        has_ids_ = is == "bigint" || is == "integer";
        if (!is.empty() && !has_ids_) {
          renamed = is == "uuid" && find("event_id") == rows.end();
          findings_.push_back(WrongId(t_, Name(table), is, !renamed));
          complete = false;
        }
        if (!is.empty()) continue;
      }
      if (find(column) != rows.end()) {
        complete = Type(table, column, (*find(column))[2].value_or("")) && complete;
        continue;
      }
      complete = false;
      if (renamed && column == "event_id") continue;  // what was id becomes it
      // Rows that are there have no value yet.
      const bool later = type.find("not null") != std::string::npos && type.find("default") == std::string::npos;
      const std::string alter = "alter table " + t_.Quote(table);
      Add(true, "column " + Name(table) + "." + column + " is missing",
          alter + " add column " + column + " " + (later ? type.substr(0, type.find(" not null")) : type) + ";" +
              (later ? " -- then give each row a value, and: " + alter + " alter column " + column + " set not null;"
                     : ""));
    }
    return complete;
  }

  bool Type(const std::string& table, const std::string& column, const std::string& type) {
    static const std::map<std::string, std::vector<std::string>> kGood{
        {"event_id", {"uuid"}},
        {"topic", {"text", "character varying"}},
        {"aggregate_id", {"text", "character varying"}},
        {"event_type", {"text", "character varying"}},
        {"payload", {"text", "character varying", "bytea", "json", "jsonb"}},
        {"headers", {"jsonb", "json"}},
        {"created_at", {"timestamp with time zone"}},
    };
    const auto good = kGood.find(column);
    if (good == kGood.end() || std::find(good->second.begin(), good->second.end(), type) != good->second.end())
      return true;
    const std::string& wanted = good->second.front();
    Add(true, "column " + Name(table) + "." + column + " is " + type + ", expected " + wanted,
        "alter table " + t_.Quote(table) + " alter column " + column + " type " + wanted + " using cast(" + column +
            " as " + wanted + ");");
    return false;
  }

  void Grants() {
    if (!t_.schema.empty()) {
      const sql::Rows usage =
          db_.Run({"select cast(has_schema_privilege(oid, 'USAGE') as text) from pg_namespace where nspname"
                   " = cast(:schema as text)",
                   {t_.schema}});
      if (!usage.empty() && usage[0][0] != "true")
        Add(true, "role " + role_ + " may not use schema " + t_.schema,
            "grant usage on schema \"" + t_.schema + "\" to " + role_ + ";");
    }
    for (const auto& [table, privileges] : NeededRights(t_)) {
      const auto oid = oids_.find(table);
      if (oid == oids_.end()) continue;
      std::string missing;
      for (const std::string& privilege : privileges) {
        const sql::Rows has =
            db_.Run({"select cast(has_table_privilege(cast(cast(:oid as text) as oid), cast(:what as text)) as"
                     " text)",
                     {oid->second, privilege}});
        if (has.empty() || has[0][0] != "true") missing += (missing.empty() ? "" : ", ") + privilege;
      }
      if (!missing.empty())
        Add(true, "role " + role_ + " lacks " + missing + " on " + Name(table),
            "grant " + missing + " on " + t_.Quote(table) + " to " + role_ + ";");
    }
  }

  void Meta() {
    const sql::Rows meta = db_.Run({"select cast(version as text), cast(shards as text), cast((select count(*) from " +
                                        t_.shard + ") as text) from " + t_.meta,
                                    {}});
    if (meta.empty() || meta[0][1] != meta[0][2])
      Add(true, "tables " + Name(t_.prefix + "_meta") + " and " + Name(t_.prefix + "_shard") + " do not fit",
          sql::kMigrate);
    else
      Owner();
  }

  // Version and identity, as the relay asks for them at its start.
  void Owner() {
    try {
      sql::RequireOwn(db_, t_, false);
    } catch (const Error& error) {
      if (error.code != OUTBOX_BAD_CONFIG) throw;
      Add(true, error.what(), "");
    }
  }

  Client& db_;
  const sql::Tables& t_;
  const std::string& connection_;
  const Millis timeout_;
  std::string role_;
  bool has_ids_ = false;
  std::map<std::string, std::string> oids_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> CheckSchema(Client& db, const sql::Tables& tables, const std::string& connection, Millis timeout) {
  return Check(db, tables, connection, timeout).Run();
}

}  // namespace outbox::postgres
