// Opens a connection through SOCI and makes the settings that the relay needs.
#pragma once

#include <memory>
#include <string>

#include "mysql/options.hpp"
#include "outbox/event.hpp"
#include "sql/tables.hpp"

struct st_mysql;
namespace soci {
class session;
}

namespace outbox::mysql {

// The server of a connection: MySQL or MariaDB, which have the same protocol and almost the same SQL.
struct Server {
  bool is_mariadb = false;
  int version = 0;             // for example 101106 for version 10.11.6
  std::string shown;           // the version as the server shows it
  std::size_t max_packet = 0;  // maximum size of a statement, in bytes
  bool ignores_case = false;   // true if the server ignores case in names of tables
};

// An open connection.
struct Connected {
  Connected();
  Connected(Connected&&) noexcept;
  Connected& operator=(Connected&&) = delete;
  ~Connected();
  std::unique_ptr<soci::session> session;
  st_mysql* native = nullptr;  // the handle of the client library; owned by the session
  Server server;
};

[[nodiscard]] sql::Tables TablesOf(const Options& options);

// Opens a connection. `timeout`, rounded up to whole seconds, limits each wait of the connection for bytes. Errors:
// throws OUTBOX_BAD_CONFIG if only a person can correct the cause, otherwise OUTBOX_UNAVAILABLE.
[[nodiscard]] Connected Connect(const Options& options, Millis timeout);

}  // namespace outbox::mysql
