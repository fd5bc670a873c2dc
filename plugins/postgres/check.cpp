#include "postgres/check.hpp"

#include <algorithm>
#include <map>

#include "postgres/errors.hpp"
#include "postgres/schema.hpp"

namespace outbox::postgres {
namespace {

constexpr int kOldestServer = 130'000;

class Check {
 public:
  Check(sql::Statements& db, const sql::Tables& tables) : db_(db), t_(tables) {}

  std::vector<Finding> Run() {
    if (!Server()) return findings_;
    const bool complete = Tables();
    Identity();
    Grants();
    if (complete) Meta();
    return std::move(findings_);
  }

 private:
  void Add(bool error, const std::string& what, const std::string& mend) { findings_.push_back({error, what, mend}); }
  std::string Name(const std::string& table) const { return t_.schema.empty() ? table : t_.schema + "." + table; }

  bool Server() {
    const sql::Row row = db_.Run({"select current_setting('server_version_num'), current_setting('server_version'),"
                                  " current_setting('transaction_read_only'), cast(current_user as text),"
                                  " current_setting('fsync'), current_setting('synchronous_commit')",
                                  {}})
                             .at(0);
    role_ = '"' + row[3].value_or("") + '"';
    if (sql::ToNumber(row[0]) < kOldestServer) {
      Add(true, "PostgreSQL " + row[1].value_or("") + " is too old", "use PostgreSQL 13 or newer");
      return false;
    }
    if (row[2] == "on") throw ReadOnly();
    if (row[4] == "off" || row[5] == "off")
      Add(false,
          "rows are seen before they are safe on disk (fsync=" + row[4].value_or("") + ", synchronous_commit=" +
              row[5].value_or("") + "): what a crash of the server takes back may have been sent",
          "set both to on, for the server and for the roles that write");
    return true;
  }

  // Through the catalog: a name that may not be used is as good as missing elsewhere.
  bool Tables() {
    bool complete = true;
    for (const Table& table : Wanted(t_, "text")) {
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
        Add(true, "table " + Name(table.name) + " is missing", sql::kMigrate);
        complete = false;
        continue;
      }
      oids_[table.name] = rows[0][0].value_or("0");
      for (const auto& [column, type] : table.columns) {
        const auto found =
            std::find_if(rows.begin(), rows.end(), [&c = column](const sql::Row& r) { return r[1] == c; });
        if (found != rows.end()) {
          complete = Type(table, column, (*found)[2].value_or("")) && complete;
          continue;
        }
        Add(true, "column " + Name(table.name) + "." + column + " is missing",
            "alter table " + t_.Quote(table.name) + " add column " + column + " " + type + ";");
        complete = false;
      }
    }
    return complete;
  }

  bool Type(const Table& table, const std::string& column, const std::string& type) {
    static const std::map<std::string, std::vector<std::string>> kGood{
        {"id", {"bigint", "integer"}},
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
    Add(true, "column " + Name(table.name) + "." + column + " is " + type + ", expected " + wanted,
        "alter table " + t_.Quote(table.name) + " alter column " + column + " type " + wanted + " using cast(" +
            column + " as " + wanted + ");");
    return false;
  }

  // Ids rise with the order of insertion and never come again.
  void Identity() {
    const auto oid = oids_.find(t_.event_name);
    if (oid == oids_.end()) return;
    const sql::Rows rows = db_.Run(
        {"select cast(cast(d.objid as regclass) as text), cast(q.seqcache as text), cast(q.seqcycle as text), "
         "cast(q.seqincrement"
         " as text) from pg_attribute a join pg_depend d on d.refobjid = a.attrelid and d.refobjsubid = a.attnum and"
         " d.classid = cast('pg_class' as regclass) and d.refclassid = cast('pg_class' as regclass) join pg_sequence q "
         "on"
         " q.seqrelid = d.objid where a.attrelid = cast(cast(:oid as text) as oid) and a.attname = 'id'",
         {oid->second}});
    if (rows.empty())
      Add(true, "column " + Name(t_.event_name) + ".id draws from no sequence: rows would have no order",
          "alter table " + t_.event +
              " alter column id add generated by default as identity; select"
              " setval(pg_get_serial_sequence('" +
              t_.event + "', 'id'), (select coalesce(max(id), 0) + 1 from " + t_.event + "));");
    for (const sql::Row& row : rows) {
      const std::string sequence = row[0].value_or("");
      if (row[2] == "true")
        Add(true,
            "sequence " + sequence +
                " may begin again (CYCLE): a repeated confirm would delete an event that was never"
                " sent",
            "alter sequence " + sequence + " no cycle;");
      if (sql::ToNumber(row[1]) > 1)
        Add(false,
            "sequence " + sequence + " hands out " + *row[1] +
                " ids at a time to each connection (CACHE): events of one"
                " key written by several connections lose their order",
            "alter sequence " + sequence + " cache 1;");
      if (sql::ToNumber(row[3]) < 1)
        Add(true, "sequence " + sequence + " counts down", "alter sequence " + sequence + " increment 1;");
    }
    const sql::Rows keys =
        db_.Run({"select 1 from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum ="
                 " i.indkey[0] where i.indrelid = cast(cast(:oid as text) as oid) and a.attname = 'id' and"
                 " i.indisunique and i.indisvalid and i.indpred is null",
                 {oid->second}});
    if (keys.empty())
      Add(true, "column " + Name(t_.event_name) + ".id has no unique index: every read would scan the table",
          "alter table " + t_.event + " add primary key (id);");
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
    const std::vector<std::pair<std::string, std::vector<std::string>>> needed{
        {t_.event_name, {"SELECT", "DELETE"}},
        {t_.prefix + "_retry", {"SELECT", "INSERT", "UPDATE", "DELETE"}},
        {t_.prefix + "_dead", {"SELECT", "INSERT", "DELETE"}},
        {t_.prefix + "_relay", {"SELECT", "INSERT", "UPDATE", "DELETE"}},
        {t_.prefix + "_shard", {"SELECT", "UPDATE"}},
        {t_.prefix + "_meta", {"SELECT", "UPDATE"}},
    };
    for (const auto& [table, privileges] : needed) {
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
    // Whoever may not read them has been told so.
    if (std::any_of(findings_.begin(), findings_.end(), [](const Finding& f) { return f.error; })) return;
    const sql::Rows meta = db_.Run({"select cast(version as text), cast(shards as text), cast((select count(*) from " +
                                        t_.shard + ") as text) from " + t_.meta,
                                    {}});
    if (meta.empty() || meta[0][1] != meta[0][2])
      Add(true, "tables " + Name(t_.prefix + "_meta") + " and " + Name(t_.prefix + "_shard") + " do not fit",
          sql::kMigrate);
    else if (sql::ToNumber(meta[0][0]) > sql::kSchemaVersion)
      Add(true,
          "the tables have version " + *meta[0][0] + " and this relay knows " + std::to_string(sql::kSchemaVersion),
          "use a newer outbox-relay");
  }

  sql::Statements& db_;
  const sql::Tables& t_;
  std::string role_;
  std::map<std::string, std::string> oids_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> CheckSchema(sql::Statements& db, const sql::Tables& tables) { return Check(db, tables).Run(); }

}  // namespace outbox::postgres
