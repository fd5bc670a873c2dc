// One connection, opened by SOCI and set up as the relay needs it.
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

// Two servers that speak one protocol and almost one language.
struct Server {
  bool is_mariadb = false;
  int version = 0;  // 101106 = 10.11.6
  std::string shown;
  std::size_t max_packet = 0;  // bytes of one statement
  bool ignores_case = false;   // in names of tables
};

struct Connected {
  Connected();
  Connected(Connected&&) noexcept;
  Connected& operator=(Connected&&) = delete;
  ~Connected();
  std::unique_ptr<soci::session> session;
  st_mysql* native = nullptr;  // the session's
  Server server;
};

[[nodiscard]] sql::Tables TablesOf(const Options& options);

// Throws OUTBOX_BAD_CONFIG where only a person can fix it, else OUTBOX_UNAVAILABLE. `timeout` bounds each wait of the
// connection for bytes, in whole seconds.
[[nodiscard]] Connected Connect(const Options& options, Millis timeout);

}  // namespace outbox::mysql
