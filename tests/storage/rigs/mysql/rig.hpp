// Connects the tests to MySQL or MariaDB. `Database` contains the details of the server that the tests for all servers
// need. OUTBOX_TEST_MYSQL contains the plugin's options, with a user who has all rights. The tests drop and create the
// database.
#pragma once

#include <mysql.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "application.hpp"
#include "driver.hpp"
#include "mysql/adapter.hpp"
#include "tests/catch.hpp"
#include "version_1.hpp"

namespace outbox::testing {

using Relay = Driver<mysql::Adapter, mysql::Config>;
using Json = nlohmann::json;

// Returns the options in OUTBOX_TEST_MYSQL, with those in `instead` replaced.
inline Json Server(const Json& instead = Json::object()) {
  const char* const server = std::getenv("OUTBOX_TEST_MYSQL");
  if (server == nullptr) throw std::runtime_error("OUTBOX_TEST_MYSQL is not set: run on_a_server.py");
  Json options = Json::parse(server);
  options.update(instead);
  return options;
}

inline std::shared_ptr<mysql::Config> Configured(const Json& instead = Json::object()) {
  return std::make_shared<mysql::Config>(Server(instead).dump(), nullptr);
}

// The role of the application that writes events, on a connection of its own with the server's default settings.
class Application : public SqlSession {
 public:
  explicit Application(const Json& options = Server()) : db_(mysql_init(nullptr)) {
    const auto text = [&](const char* key) { return options.at(key).get<std::string>(); };
    mysql_options(db_, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    const bool connected = mysql_real_connect(db_, text("host").c_str(), text("user").c_str(), text("password").c_str(),
                                              text("database").c_str(), options.at("port").get<unsigned>(), nullptr,
                                              CLIENT_MULTI_STATEMENTS) != nullptr;
    INFO(mysql_error(db_));
    REQUIRE(connected);
  }
  ~Application() override { mysql_close(db_); }

  // Inserts a row with the key `key`, and returns the row id.
  long long Insert(const std::string& key, const std::string& payload = "{}") {
    (*this)("insert into outbox_event (topic, aggregate_id, event_type, payload) values ('orders', '" + key +
            "', 'Placed', '" + payload + "')");
    return static_cast<long long>(mysql_insert_id(db_));
  }
  // Returns the value of a status counter of the whole server.
  long long Counted(const std::string& name) {
    (*this)("show global status like '" + name + "'");
    return std::stoll(second_);
  }
  bool IsMariadb() { return (*this)("select version()").find("MariaDB") != std::string::npos; }

 private:
  std::string Execute(const std::string& sql, std::string& value) override {
    int next = mysql_real_query(db_, sql.data(), sql.size());
    while (next == 0) {
      MYSQL_RES* const result = mysql_store_result(db_);
      if (result != nullptr) {
        const MYSQL_ROW row = mysql_fetch_row(result);
        const unsigned long* const sizes = mysql_fetch_lengths(result);
        value = row != nullptr && row[0] != nullptr ? std::string(row[0], sizes[0]) : "";
        second_ = row != nullptr && mysql_num_fields(result) > 1 && row[1] != nullptr ? row[1] : "";
        mysql_free_result(result);
      }
      next = mysql_next_result(db_);
    }
    return mysql_error(db_);
  }

  MYSQL* db_;
  std::string second_;
};

struct Database {
  using Adapter = mysql::Adapter;

  static constexpr const char* kNoSuchTable = "42S02";  // The SQLSTATE of a missing table.
  static constexpr const char* kTruncate = "truncate outbox_event";
  static constexpr const char *kBeginPrepared = "xa start 'late'", *kPrepare = "xa end 'late'; xa prepare 'late'",
                              *kCommitPrepared = "xa commit 'late'";
  // The time after which a missing id counts as rolled back.
  static constexpr Millis kPatience = mysql::Visibility::kPatience;

  static void DropTables(Application& app) {
    const std::string name = Server().at("database");
    app("drop database `" + name + "`; create database `" + name + "`; use `" + name + "`");
  }
  // Returns SQL for the shard of the key that the SQL expression `key` yields, in an outbox with two shards.
  static std::string ShardOf(const std::string& key) { return "crc32(" + key + ") % 2"; }
  static std::string Numbers(long long count);
  // Reads until no row is left. One read is not enough, because a read that returns late rows leaves newer rows to the
  // next read.
  static Ids ReadBehindLate(Relay& relay) { return Rest(relay); }
  // Reads repeatedly until any id that no transaction has inserted counts as rolled back.
  static void OutlastPatience(Relay& relay) {
    for (const auto begun = Clock::now(); Clock::now() - begun < 2 * kPatience; std::this_thread::sleep_for(Millis(50)))
      CHECK(relay.Reserve().empty());
  }
  static void CheckNoIdIsAwaited(Application& app, Relay& relay) {
    CHECK(relay.Reserve().empty());  // This read checks the ids that the previous read has skipped.
    const long long asked = app.Counted("Com_set_option");
    OutlastPatience(relay);
    CHECK(app.Counted("Com_set_option") == asked);
  }
  // Returns a number that grows with each statement that may write.
  static long long Written(Application& app) {
    long long sum = 0;
    for (const char* kind : {"insert", "update", "delete", "insert_select", "update_multi", "delete_multi", "replace"})
      sum += app.Counted(std::string("Com_") + kind);
    return sum;
  }
  static void EndSessions(Application& app) {
    app("set session group_concat_max_len = 100000");
    std::istringstream sessions(
        app("select group_concat(id separator ' ') from information_schema.processlist where db = database() and"
            " id <> connection_id()"));
    for (std::string session; sessions >> session;) (void)app.Try("kill " + session);
  }

  // SQL for a summary of the tables: the rows of all tables but outbox_meta, and the times at which the tables were
  // created.
  static constexpr const char* kState =
      "select concat((select count(*) from outbox_event), (select group_concat(shard, owner, token) from outbox_shard),"
      " (select group_concat(relay_id, expires) from outbox_relay), (select group_concat(table_name, create_time order"
      " by table_name) from information_schema.tables where table_schema = database()))";
  static constexpr const char* kVersion1 = kMysqlVersion1;
  static constexpr const char* kVersion1Rows =
      "select concat_ws(' ', (select group_concat(id, event_id, payload order by id) from outbox_event),"
      " (select group_concat(row_id, event_id, aggregate_id, attempts, coalesce(next_try, ''), reason order by row_id) "
      "from outbox_retry),"
      " (select group_concat(row_id, event_id, payload, attempts) from outbox_dead), (select group_concat(relay_id, "
      "expires) from outbox_relay),"
      " (select group_concat(shard, owner, token, state, suspect) from outbox_shard))";
  static constexpr const char* kRetryIndexes =
      "select count(distinct index_name) from information_schema.statistics where table_schema = database()"
      " and table_name = 'outbox_retry'";
  // Runs the SQL with the server's command-line client, as a user would.
  static void RunScript(Application&, const std::string& sql);

  // Creates a user who has no rights in the database `sales`.
  static void MakeMover(Application& app) {
    app("drop database if exists sales; create database sales; drop user if exists mover");
    app("create user mover identified by 'm'; grant usage on *.* to mover; grant select on `" +
        std::string(Server().at("database")) + "`.* to mover");
  }
  static void DropMover(Application& app) { app("drop database sales; drop user mover"); }
  static std::shared_ptr<mysql::Config> SalesConfig() { return Configured({{"table", "sales.shop_event"}}); }
  static std::shared_ptr<mysql::Config> MoverConfig() {
    return Configured({{"table", "sales.shop_event"}, {"user", "mover"}, {"password", "m"}});
  }
  static constexpr std::size_t kRightsToGrant = 6;  // One right for each table.
  // Returns the findings of check except notes. check adds a note for each setting that its user is not allowed to
  // read, and no grant of rights removes that note.
  static std::vector<Finding> MissingRights(Relay& relay) {
    auto found = relay.writing().CheckSchema();
    std::erase_if(found, [](const Finding& finding) { return finding.note; });
    return found;
  }
};

// Returns a subquery with the numbers from 1 to `count` in its column `g`.
inline std::string Database::Numbers(long long count) {
  const std::string digits =
      "(select 0 d union all select 1 union all select 2 union all select 3 union all select 4 union all"
      " select 5 union all select 6 union all select 7 union all select 8 union all select 9)";
  std::string sum = "1", from;
  long long power = 1;
  for (const char* name : {"a", "b", "c", "d", "e", "f"}) {
    if (power >= count) break;
    sum += " + " + std::string(name) + ".d * " + std::to_string(power);
    from += (from.empty() ? "" : ", ") + digits + " " + name;
    power *= 10;
  }
  return "(select " + sum + " as g from " + from + " where " + sum + " <= " + std::to_string(count) + ")";
}

inline void Database::RunScript(Application&, const std::string& sql) {
  const Json server = Server();
  REQUIRE(setenv("MYSQL_PWD", std::string(server.at("password")).c_str(), 1) == 0);
  const std::string command = "mariadb --no-defaults --protocol=tcp --host=" + std::string(server.at("host")) +
                              " --port=" + server.at("port").dump() + " --user=" + std::string(server.at("user")) +
                              " " + std::string(server.at("database"));
  FILE* const client = popen(command.c_str(), "w");
  REQUIRE(client != nullptr);
  REQUIRE(fwrite(sql.data(), 1, sql.size(), client) == sql.size());
  REQUIRE(pclose(client) == 0);
}

// Returns SQL that creates the outbox with types for key and payload that an application has chosen.
inline std::string OutboxWith(const std::string& key, const std::string& payload, const std::string& more = "") {
  return "create table outbox_event (id bigint not null auto_increment primary key, event_id char(36) not null default"
         " (uuid()), topic varchar(249) not null, aggregate_id " +
         key + ", event_type varchar(255) not null, payload " + payload +
         ", headers json, created_at timestamp(6) not null default current_timestamp(6)) engine = InnoDB " + more;
}

}  // namespace outbox::testing
