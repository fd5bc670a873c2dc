#include "mysql/check.hpp"

#include <algorithm>
#include <iterator>
#include <map>

#include "mysql/others.hpp"
#include "mysql/schema.hpp"
#include "sql/sql_template.hpp"

namespace outbox::mysql {
namespace {

constexpr int kOldestMysql = 80'000, kOldestMariadb = 100'600;
constexpr std::int32_t kNoSuchTable = 1146;

bool IsDenied(std::int32_t number) { return number == 1044 || number == 1142 || number == 1143; }

class Check {
 public:
  Check(Client& db, const sql::Tables& tables) : db_(db), t_(tables) {}

  std::vector<Finding> Run() {
    if (!Server()) return findings_;
    Append(FindViews(db_, t_));
    const bool views = !findings_.empty() && findings_.back().error;
    const bool complete = !views && Tables();
    if (!views) Grants();
    if (complete) Meta();
    if (complete && !HasErrors()) Append(FindLowIds(db_, t_));
    Append(FindOthers(db_, t_, user_));
    return std::move(findings_);
  }

 private:
  void Add(bool error, const std::string& what, const std::string& fix) { findings_.push_back({error, what, fix}); }
  void Append(std::vector<Finding> more) { std::move(more.begin(), more.end(), std::back_inserter(findings_)); }
  bool HasErrors() const {
    return std::any_of(findings_.begin(), findings_.end(), [](const Finding& f) { return f.error; });
  }
  std::string Name(const std::string& table) const { return t_.schema.empty() ? table : t_.schema + "." + table; }
  std::string Setting(const char* name) { return db_.Run({std::string("select ") + name, {}}).at(0)[0].value_or(""); }

  bool Server() {
    const auto& server = db_.server();
    if (server.version < (server.is_mariadb ? kOldestMariadb : kOldestMysql)) {
      Add(true, "the server is " + server.shown + ", which is too old", "use MySQL 8.0 or MariaDB 10.6, or newer");
      return false;
    }
    const std::string user = Setting("current_user()");
    const auto at = user.rfind('@');
    user_ = "'" + user.substr(0, at) + "'@'" + user.substr(at + 1) + "'";
    if (Setting("@@global.log_bin") == "1" && Setting("@@session.binlog_format") == "STATEMENT")
      Add(true, "the server logs statements (binlog_format): it refuses what a session at READ COMMITTED writes",
          "set global binlog_format = 'ROW';");
    if (const std::string step = Setting("@@global.auto_increment_increment"); step != "1")
      Add(false,
          "ids are given in steps of " + step +
              " (auto_increment_increment): rows that are written on several servers have no order among them",
          "let all applications write through the server that the relay reads");
    Durable();
    return true;
  }

  // MariaDB shows a commit before the log that makes it durable is on disk, unless that is the binary log.
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
          "rows are seen before they are safe on disk (" + wrong +
              "): what a crash of the server takes back may have been sent",
          std::string("set innodb_flush_log_at_trx_commit = 1") + (syncs ? ", sync_binlog = 1" : "") +
              (mariadb ? " and log_bin" : "") + " in the server's configuration");
  }

  bool Tables() {
    bool complete = true;
    for (const sql::Table& table : Wanted(t_)) {
      try {
        (void)db_.Run({"select 1 from " + t_.Quote(table.name) + " limit 0", {}});
      } catch (const Error& error) {
        complete = false;
        if (error.code != OUTBOX_BAD_CONFIG) throw;
        // One that may not be read is told with the grants.
        if (error.native_code == kNoSuchTable) {
          missing_.push_back(table.name);
          Add(true, "table " + Name(table.name) + " is missing", sql::kMigrate);
        }
        continue;
      }
      complete = Columns(table.name, table.columns) && complete;
      if (table.name == t_.event_name && has_ids_) Outbox();
    }
    return complete;
  }

  sql::Rows FromCatalog(const std::string& select, const std::string& table) {
    return db_.Run(
        {"select " + select + " where table_schema = coalesce(nullif(:schema, ''), database()) and table_name = :table",
         {t_.schema, table}});
  }

  using Wants = std::vector<std::pair<std::string, std::string>>;

  bool Columns(const std::string& table, const Wants& wanted) {
    static const std::map<std::string, std::vector<std::string>> kGood{
        {"id", {"bigint", "int"}},
        {"event_id", {"char", "varchar", "uuid"}},
        {"topic", {"varchar", "char", "text"}},
        {"aggregate_id", {"varchar", "char"}},
        {"event_type", {"varchar", "char", "text"}},
        {"payload",
         {"longblob", "mediumblob", "blob", "varbinary", "longtext", "mediumtext", "text", "varchar", "json"}},
        {"headers", {"json", "longtext", "mediumtext", "text"}},
        {"created_at", {"timestamp"}},
    };
    const sql::Rows rows = FromCatalog("column_name, data_type from information_schema.columns", table);
    const auto find = [&](const std::string& column) {
      return std::find_if(rows.begin(), rows.end(), [&](const sql::Row& r) { return r[0] == column; });
    };
    bool complete = true, renamed = false;
    for (const auto& [column, type] : wanted) {
      const auto found = find(column);
      if (found == rows.end() && renamed && column == "event_id") continue;  // what was id becomes it
      if (found == rows.end()) {
        Add(true, "column " + Name(table) + "." + column + " is missing",
            "alter table " + t_.Quote(table) + " add column " + column + " " + type + ";");
        complete = false;
        continue;
      }
      const auto good = kGood.find(column);
      const std::string seen = (*found)[1].value_or("");
      if (seen == "longtext" && table != t_.event_name) continue;  // our own, wide enough for whatever it copies
      if (good == kGood.end() || std::find(good->second.begin(), good->second.end(), seen) != good->second.end())
        continue;
      if (column == "id") {
        renamed = find("event_id") == rows.end() && (seen == "char" || seen == "varchar" || seen == "uuid");
        findings_.push_back(WrongId(db_, t_, Name(table), seen, !renamed));
        complete = has_ids_ = false;
        continue;
      }
      Add(true, "column " + Name(table) + "." + column + " is " + seen + ", expected " + good->second.front(),
          "alter table " + t_.Quote(table) + " modify column " + column + " " + type + ";");
      complete = false;
    }
    return complete;
  }

  // Ids rise with the order of insertion, never come again, and lead to their row.
  void Outbox() {
    const std::string name = Name(t_.event_name);
    for (const sql::Row& id :
         FromCatalog("extra, column_key, column_name from information_schema.columns", t_.event_name)) {
      if (id[2] != "id") continue;
      if (id[0].value_or("").find("auto_increment") == std::string::npos)
        Add(true, "column " + name + ".id is not auto_increment: rows would have no order",
            "alter table " + t_.event + " modify column id bigint not null auto_increment;");
      if (id[1] != "PRI")
        Add(true, "column " + name + ".id is not the primary key: every read would scan the table",
            "alter table " + t_.event + " add primary key (id);");
    }
  }

  // Roles grant as well, and no catalog sums them up: each right is tried on no row. A server that is read-only is a state
  // and ends this here: once the state ends, the relay goes on.
  void Grants() {
    const std::string meta = t_.prefix + "_meta", retry = t_.prefix + "_retry", dead = t_.prefix + "_dead",
                      relay = t_.prefix + "_relay", shard = t_.prefix + "_shard";
    Grant(t_.event_name, {"select", "delete"});
    Grant(retry, {"select", "insert", "update", "delete"}, "attempts");
    Grant(dead, {"select", "insert", "delete"});
    Grant(relay, {"select", "insert", "update", "delete"}, "expires");
    Grant(shard, {"select", "update"}, "token");
    Grant(meta, {"select", "update"}, "shards");
  }

  void Grant(const std::string& table, const std::vector<std::string>& rights, const std::string& column = "") {
    if (std::find(missing_.begin(), missing_.end(), table) != missing_.end()) return;
    std::string lacking;
    for (const std::string& right : rights)
      if (!May(right, t_.Quote(table), column)) lacking += (lacking.empty() ? "" : ", ") + right;
    if (!lacking.empty())
      Add(true, "user " + user_ + " lacks " + lacking + " on " + Name(table),
          "grant " + lacking + " on " + t_.Quote(table) + " to " + user_ + ";");
  }

  bool May(const std::string& right, const std::string& table, const std::string& column) {
    static const std::map<std::string, const char*> kTry{
        {"select", "select 1 from [table] limit 0"},
        {"insert", "insert into [table] select * from [table] where 1 = 0"},
        {"update", "update [table] set [column] = [column] where 1 = 0"},
        {"delete", "delete from [table] where 1 = 0"}};
    try {
      (void)db_.Run({sql::Fill(kTry.at(right), {{"[table]", table}, {"[column]", column}}), {}});
      return true;
    } catch (const Error& error) {
      if (IsDenied(error.native_code)) return false;
      if (error.code == OUTBOX_UNAVAILABLE || error.code == OUTBOX_TIMEOUT || error.code == OUTBOX_CANCELLED) throw;
      return true;  // rights are looked at first: anything else, such as a generated column, says that they are there
    }
  }

  void Meta() {
    // Whoever may not read them has been told so.
    if (HasErrors()) return;
    const sql::Rows meta = db_.Run({t_.In("select version, shards, (select count(*) from {shard}) from {meta}"), {}});
    if (meta.empty() || meta[0][1] != meta[0][2])
      Add(true, "tables " + Name(t_.prefix + "_meta") + " and " + Name(t_.prefix + "_shard") + " do not fit",
          sql::kMigrate);
    else
      Owner();
  }

  // Version and identity, as the relay asks for them at its start.
  void Owner() {
    try {
      sql::RequireOwn(db_, t_, db_.server().ignores_case);
    } catch (const Error& error) {
      if (error.code != OUTBOX_BAD_CONFIG) throw;
      Add(true, error.what(), "");
    }
  }

  Client& db_;
  const sql::Tables& t_;
  std::string user_;
  bool has_ids_ = true;
  std::vector<std::string> missing_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> CheckSchema(Client& client, const sql::Tables& tables) { return Check(client, tables).Run(); }

}  // namespace outbox::mysql
