// For the tests of the mysql plugin. OUTBOX_TEST_MYSQL holds the plugin's options, of a user who may do everything; the
// database is theirs to drop.
#pragma once

#include <mysql.h>

#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "driver.hpp"
#include "mysql/adapter.hpp"
#include "tests/catch.hpp"

namespace outbox::testing {

using Ids = std::vector<long long>;
using Clock = std::chrono::steady_clock;
using MysqlRelay = Driver<mysql::Adapter, mysql::Config>;
using Json = nlohmann::json;

// The options, with others put over them.
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

// The application: a connection of its own, as the server has it.
class Application {
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
  ~Application() { mysql_close(db_); }
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

  // The first value of the last answer.
  std::string operator()(const std::string& sql) {
    std::string value;
    const std::string message = Try(sql, value);
    INFO(sql);
    REQUIRE(message == "");
    return value;
  }
  // The error, if it is one.
  std::string Try(const std::string& sql) {
    std::string value;
    return Try(sql, value);
  }
  // A row of this key; its id.
  long long Insert(const std::string& key, const std::string& payload = "{}") {
    (*this)("insert into outbox_event (topic, aggregate_id, event_type, payload) values ('orders', '" + key +
            "', 'Placed', '" + payload + "')");
    return static_cast<long long>(mysql_insert_id(db_));
  }
  // A counter of the whole server's.
  long long Counted(const std::string& name) {
    (*this)("show global status like '" + name + "'");
    return std::stoll(second_);
  }
  bool IsMariadb() { return (*this)("select version()").find("MariaDB") != std::string::npos; }

 private:
  std::string Try(const std::string& sql, std::string& value) {
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

// Every test begins without tables.
struct Fresh {
  Fresh() {
    const std::string name = Server().at("database");
    app("drop database `" + name + "`; create database `" + name + "`; use `" + name + "`");
  }
  Application app;
};

struct Ready : Fresh {
  explicit Ready(const SchemaOptions& wish = {}) : relay(Configured()) {
    relay.writing().ApplySchema(wish);
    relay.Heartbeat();
  }
  // As the application may have made it before the relay came.
  explicit Ready(const std::string& create_event) : relay(Configured()) {
    app(create_event);
    relay.writing().ApplySchema({});
    relay.Heartbeat();
  }
  MysqlRelay relay;
};

// The table of an application that has its own mind about two columns.
inline std::string OutboxWith(const std::string& key, const std::string& payload, const std::string& more = "") {
  return "create table outbox_event (id bigint not null auto_increment primary key, event_id char(36) not null default"
         " (uuid()), topic varchar(249) not null, aggregate_id " +
         key + ", event_type varchar(255) not null, payload " + payload +
         ", headers json, created_at timestamp(6) not null default current_timestamp(6)) engine = InnoDB " + more;
}

}  // namespace outbox::testing
