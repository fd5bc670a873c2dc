#include "mysql/check.hpp"

#include <algorithm>
#include <map>

#include "mysql/others.hpp"
#include "mysql/schema.hpp"
#include "sql/check.hpp"
#include "sql/sql_template.hpp"

namespace outbox::mysql {
namespace {

constexpr int kOldestMysql = 80'000, kOldestMariadb = 100'600;
constexpr std::int32_t kNoSuchTable = 1146;

bool IsDenied(std::int32_t number) { return number == 1044 || number == 1142 || number == 1143; }

std::vector<sql::Table> WantedHere(Client& db, const sql::Tables& tables) {
  std::vector<sql::Table> wanted = Wanted(tables);
  if (tables.captured) try {
      AddCaptured(wanted, tables, TypesOf(tables, LookAtSource(db, tables)));
    } catch (const Error& error) {  // Captured() reports the reason
      if (error.code != OUTBOX_BAD_CONFIG) throw;
    }
  return wanted;
}

class Check final : public sql::Check {
 public:
  Check(Client& db, const sql::Tables& tables)
      : sql::Check(
            db, tables, WantedHere(db, tables), CatalogueOf(db),
            {
                {"id", {"bigint"}},
                {"event_id", {"char", "varchar", "uuid"}},
                {"topic", {"varchar", "char", "text"}},
                {"aggregate_id", tables.captured ? Types{"longtext"} : Types{"varchar", "char"}},
                {"event_type", {"varchar", "char", "text"}},
                {"payload",
                 {"longblob", "mediumblob", "blob", "varbinary", "longtext", "mediumtext", "text", "varchar", "json"}},
                {"headers", {"json", "longtext", "mediumtext", "text"}},
                {"created_at", {"timestamp"}},
            }),
        db_(db) {}

 private:
  using Types = std::vector<std::string>;
  std::string Setting(const char* name) { return db_.Run({std::string("select ") + name, {}}).at(0)[0].value_or(""); }

  bool Server() override {
    const auto& server = db_.server();
    if (server.version < (server.is_mariadb ? kOldestMariadb : kOldestMysql)) {
      Add(true, "the server is " + server.shown + ", which is too old", "use MySQL 8.0 or MariaDB 10.6, or newer");
      return false;
    }
    const std::string user = Setting("current_user()");
    const auto at = user.rfind('@');
    user_ = "'" + user.substr(0, at) + "'@'" + user.substr(at + 1) + "'";
    if (Setting("@@global.log_bin") == "1" && Setting("@@session.binlog_format") == "STATEMENT")
      Add(true, "binlog_format is STATEMENT, and then the server refuses writes of sessions at READ COMMITTED",
          "set global binlog_format = 'ROW';");
    if (const std::string step = Setting("@@global.auto_increment_increment"); step != "1")
      Add(false,
          "ids are assigned in steps of " + step +
              " (auto_increment_increment): rows that are written on different servers have no common order",
          "let all applications write through the server that the relay reads");
    Durable();
    return true;
  }

  // Reports settings with which rows become visible before they are durable. MariaDB makes a commit visible before the
  // log that makes it durable is on disk, unless that log is the binary log.
  void Durable() {
    const bool mariadb = db_.server().is_mariadb, logs = Setting("@@global.log_bin") == "1", syncs = logs || mariadb;
    std::string wrong;
    const auto expect = [&](const std::string& name, const std::string& value) {
      if (const std::string is = Setting(("@@global." + name).c_str()); is != value)
        wrong += (wrong.empty() ? "" : ", ") + name + "=" + is;
    };
    expect("innodb_flush_log_at_trx_commit", "1");
    if (syncs) expect("sync_binlog", "1");
    if (mariadb && !logs) wrong += std::string(wrong.empty() ? "" : ", ") + "log_bin=0";
    if (!wrong.empty())
      Add(false,
          "rows become visible before they are safe on disk (" + wrong +
              "): a crash of the server may lose rows that were already sent",
          std::string("set innodb_flush_log_at_trx_commit = 1") + (syncs ? ", sync_binlog = 1" : "") +
              (mariadb ? " and log_bin" : "") + " in the server's configuration");
  }

  std::vector<Finding> Views() override { return FindViews(db_, t_); }

  std::vector<Finding> Captured() override {
    std::vector<Finding> findings = FindCapture(db_, t_);
    if (std::any_of(findings.begin(), findings.end(), [](const Finding& finding) { return finding.error; }))
      return findings;
    for (Finding& finding : FindOwnerRights(db_, t_)) findings.push_back(std::move(finding));
    findings.push_back({false,
                        "trigger " + t_.event_name + " copies rows that are inserted into " +
                            t_.Shown(t_.captured->table) +
                            "; to end the capture, let the relay deliver the backlog, then run these statements",
                        EndCaptureSql(t_), true});
    return findings;
  }

  // Returns true if the table does not exist. A table that the relay's user lacks the privilege to read is not missing;
  // Grants() reports the privilege.
  bool IsMissing(const sql::Table& table) override {
    try {
      (void)db_.Run({"select 1 from " + t_.Quote(table.name) + " limit 0", {}});
      return false;
    } catch (const Error& error) {
      if (error.code != OUTBOX_BAD_CONFIG) throw;
      return error.native_code == kNoSuchTable;
    }
  }

  // Returns true if the column may have this type. In a companion table, longtext is accepted too, because it is wide
  // enough for every value that is copied there.
  bool Accepts(const sql::Table& table, const sql::Column& column, const std::string& type) const override {
    if (column.name == "id") return IsId(type);
    if (!column.quoted.empty()) return true;  // Captured() checks the types of copies
    return (type == "longtext" && table.kind != "event") || sql::Check::Accepts(table, column, type);
  }

  std::string FixMissingColumn(const sql::Table& table, const sql::Column& column) override {
    return "alter table " + t_.Quote(table.name) + " add column " + column.sql_name() + " " + column.type + ";";
  }

  std::string FixType(const sql::Table& table, const sql::Column& column, const std::string& /*expected*/) override {
    return "alter table " + t_.Quote(table.name) + " modify column " + column.name + " " + column.type + ";";
  }

  // Returns SQL that adds a new column id and renames the present one: to event_id if the table has no column event_id
  // and the type fits, otherwise to old_id. Adds the name event_id to `fixed` if the SQL creates this column.
  std::string FixId(const sql::FoundTable& found, std::set<std::string>& fixed) override {
    const std::string& type = found.columns.at("id");
    const bool renamed = !found.columns.contains("event_id") && (type == "char" || type == "varchar" || type == "uuid");
    if (renamed) fixed.insert("event_id");
    return FixWrongId(db_, t_, type, renamed);
  }

  // Checks that column id is auto_increment and the primary key, because the relay finds and orders rows by their ids.
  void Ids(const sql::FoundTable&) override {
    const std::string name = t_.Shown(t_.event_name);
    const sql::Row id =
        db_.Run({"select extra, column_key from information_schema.columns where table_schema ="
                 " coalesce(nullif(:schema, ''), database()) and table_name = :table and column_name = 'id'",
                 {t_.schema, t_.event_name}})
            .at(0);
    if (id[0].value_or("").find("auto_increment") == std::string::npos)
      Add(true, "column " + name + ".id is not auto_increment: rows would have no order",
          "alter table " + t_.event + " modify column id bigint not null auto_increment;");
    if (id[1] != "PRI")
      Add(true, "column " + name + ".id is not the primary key: every read would scan the table",
          "alter table " + t_.event + " add primary key (id);");
  }

  // Reports missing privileges. Privileges may also come from roles, and no catalogue lists all of them together, so
  // each privilege is tried with a statement that affects no row. If the server is read-only, its error ends this
  // check, because the error shows nothing about privileges, and the relay continues when the server can be written
  // again.
  void Grants() override {
    FindMissingRights("user " + user_, user_, [&](const std::string& table, const std::string& right) {
      const auto wanted =
          std::find_if(wanted_.begin(), wanted_.end(), [&](const sql::Table& one) { return one.name == table; });
      return May(right, t_.Quote(table), wanted->columns.at(1).name);
    });
  }

  bool May(const std::string& right, const std::string& table, const std::string& column) {
    static const std::map<std::string, const char*> kTry{
        {"SELECT", "select 1 from [table] limit 0"},
        {"INSERT", "insert into [table] select * from [table] where 1 = 0"},
        {"UPDATE", "update [table] set [column] = [column] where 1 = 0"},
        {"DELETE", "delete from [table] where 1 = 0"}};
    try {
      (void)db_.Run({sql::Fill(kTry.at(right), {{"[table]", table}, {"[column]", column}}), {}});
      return true;
    } catch (const Error& error) {
      if (IsDenied(error.native_code)) return false;
      if (error.code == OUTBOX_UNAVAILABLE || error.code == OUTBOX_TIMEOUT || error.code == OUTBOX_CANCELLED) throw;
      // The server checks privileges first, so any other error, such as one about a generated column, shows that the
      // user has the privilege.
      return true;
    }
  }

  std::vector<Finding> LowIds() override { return FindLowIds(db_, t_); }
  std::vector<Finding> Others() override { return FindOthers(db_, t_, user_); }

  Client& db_;
  std::string user_;
};

}  // namespace

std::vector<Finding> CheckSchema(Client& client, const sql::Tables& tables) { return Check(client, tables).Run(); }

}  // namespace outbox::mysql
