#include "postgres/check.hpp"

#include "postgres/capture.hpp"
#include "postgres/ids.hpp"
#include "postgres/others.hpp"
#include "postgres/pooler.hpp"
#include "postgres/role_settings.hpp"
#include "postgres/row_security.hpp"
#include "postgres/schema.hpp"
#include "sql/check.hpp"

namespace outbox::postgres {
namespace {

constexpr int kOldestServer = 130'000;

std::vector<sql::Table> WantedHere(Client& db, const sql::Tables& tables) {
  std::vector<sql::Table> wanted = Wanted(tables, "text");
  if (tables.captured) AddCopies(wanted, tables, FindTypes(db, tables));
  return wanted;
}

class Check final : public sql::Check {
 public:
  Check(Client& db, const sql::Tables& tables, const std::string& connection, Millis timeout)
      : sql::Check(db, tables, WantedHere(db, tables), kCatalogue,
                   {
                       {"id", {"bigint", "integer"}},
                       {"event_id", {"uuid"}},
                       {"topic", {"text", "character varying"}},
                       {"aggregate_id", {"text", "character varying"}},
                       {"event_type", {"text", "character varying"}},
                       {"payload", {"text", "character varying", "bytea", "json", "jsonb"}},
                       {"headers", {"jsonb", "json"}},
                       {"created_at", {"timestamp with time zone"}},
                   }),
        db_(db),
        connection_(connection),
        timeout_(timeout) {}

 private:
  void Pooler() {
    const Pooling pooling = FindPooling(db_, connection_, t_, timeout_);
    if (pooling == Pooling::kNone) return;
    const bool kept = pooling == Pooling::kSession;
    Append({{!kept,
             Describe(pooling) + (kept ? ": a relay needs 3 sessions, 2 more for each further shard, 1 more with http, "
                                         "1 with wake_up and 1 with capture"
                                       : ""),
             kept ? "" : kNeedsSession, kept}});
  }

  bool Server() override {
    Pooler();
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
          "rows are visible before they are safe on disk (fsync=" + row[4].value_or("") + ", synchronous_commit=" +
              row[5].value_or("") + "): a crash of the server may undo rows that were already sent",
          "set both to on, for the server and for the roles that write");
    if (row[6] == "SQL_ASCII")
      Add(false,
          "the encoding of the database is SQL_ASCII: the server does not know the encoding of its texts, and"
          " their bytes are sent unchanged",
          "let all applications write UTF-8, or restore a dump into a database that was created with encoding 'UTF8'");
    return true;
  }

  std::vector<Finding> Captured() override {
    const sql::CaptureState state = LookAtCapture(db_, t_);
    std::vector<Finding> findings = sql::FindingsOf(t_, state, /*ignore_case=*/false);
    if (state.has_trigger)
      findings.push_back({false,
                          "trigger " + state.trigger + " copies rows that are inserted into " +
                              t_.Shown(t_.captured->table) + " into " + t_.Shown(t_.event_name) +
                              "; to end the capture, let the relay deliver the backlog, then run these statements",
                          EndCaptureSql(t_), true});
    else if (const std::string ended = WhereCaptureEnded(db_, t_); !ended.empty())
      findings.push_back({false,
                          "the trigger was dropped at position " + ended +
                              " of the write-ahead log: rows committed before it are in " + t_.Shown(t_.event_name) +
                              " or delivered, later ones are not captured",
                          "", true});
    return findings;
  }

  std::string FixMissingTable(bool first) override {
    const std::string fix = postgres::FixMissingTable(db_, db_.given());
    return first || fix == sql::kMigrate ? fix : "";
  }

  // Returns SQL that adds the column. If the column is NOT NULL without a default, the SQL first adds it without NOT
  // NULL, because existing rows have no value in it yet.
  std::string FixMissingColumn(const sql::Table& table, const sql::Column& column) override {
    const std::string& type = column.type;
    const bool later = type.find("not null") != std::string::npos && type.find("default") == std::string::npos;
    const std::string alter = "alter table " + t_.Quote(table.name);
    return alter + " add column " + column.name + " " + (later ? type.substr(0, type.find(" not null")) : type) + ";" +
           (later ? " -- then give each row a value, and: " + alter + " alter column " + column.name + " set not null;"
                  : "");
  }

  std::string FixType(const sql::Table& table, const sql::Column& column, const std::string& expected) override {
    const std::string& name = column.sql_name();
    return "alter table " + t_.Quote(table.name) + " alter column " + name + " type " + expected + " using cast(" +
           (expected == "bytea" ? "convert_to(cast(" + name + " as text), 'UTF8')" : name) + " as " + expected + ");";
  }

  // Returns SQL that adds a new column id. If the present id is a uuid and the table has no event_id, the present id
  // becomes the event_id.
  std::string FixId(const sql::FoundTable& found, std::set<std::string>& fixed) override {
    const bool renamed = found.columns.at("id") == "uuid" && !found.columns.contains("event_id");
    if (renamed) fixed.insert("event_id");
    return FixWrongId(t_, renamed ? "event_id" : "old_id");
  }

  void Ids(const sql::FoundTable& outbox) override {
    Append(CheckIds(db_, t_, outbox.number, t_.Shown(t_.event_name)));
  }

  void Grants() override {
    if (!t_.schema.empty()) {
      const sql::Rows usage =
          db_.Run({"select cast(has_schema_privilege(oid, 'USAGE') as text) from pg_namespace where nspname"
                   " = cast(:schema as text)",
                   {t_.schema}});
      if (!usage.empty() && usage[0][0] != "true")
        Add(true, "role " + role_ + " lacks USAGE on schema " + t_.schema,
            "grant usage on schema \"" + t_.schema + "\" to " + role_ + ";");
    }
    FindMissingRights("role " + role_, role_, [&](const std::string& table, const std::string& right) {
      const sql::Rows has =
          db_.Run({"select cast(has_table_privilege(cast(cast(:oid as text) as oid), cast(:what as text)) as text)",
                   {found_.at(table).number, right}});
      return !has.empty() && has[0][0] == "true";
    });
  }

  std::vector<Finding> HiddenRows() override { return FindHiddenRows(db_, t_); }
  std::vector<Finding> LowIds() override { return FindLowIds(db_, t_); }
  std::vector<Finding> Others() override { return FindOthers(db_, t_, found_); }

  Client& db_;
  const std::string& connection_;
  const Millis timeout_;
  std::string role_;
};

}  // namespace

std::vector<Finding> CheckSchema(Client& db, const sql::Tables& tables, const std::string& connection, Millis timeout) {
  return Check(db, tables, connection, timeout).Run();
}

}  // namespace outbox::postgres
