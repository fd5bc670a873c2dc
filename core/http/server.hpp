// A small HTTP server for whoever watches the relay: GET and HEAD of some fixed paths, nothing of a request but its path is
// looked at. All that a client can send or hold is limited; docs/operations.md has the numbers.
#pragma once

#include <spdlog/fwd.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "status.hpp"

struct mg_context;
struct mg_connection;

namespace outbox::http {

struct Reply {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
};

// By path. Called on the server's threads, several at once.
using Routes = std::map<std::string, std::function<Reply()>, std::less<>>;

class Server {
 public:
  // `listen` is "ADDRESS:PORT"; port 0 = any that is free. OUTBOX_BAD_CONFIG: it cannot be had.
  [[nodiscard]] static Result<std::unique_ptr<Server>> Start(const std::string& listen, Routes routes,
                                                             std::shared_ptr<spdlog::logger> logger);
  ~Server();
  Server(const Server&) = delete;

  [[nodiscard]] int port() const;

 private:
  Server(Routes routes, std::shared_ptr<spdlog::logger> logger);

  // Of the library, on its threads.
  static int Handle(mg_connection* connection) noexcept;
  static int Log(const mg_connection* connection, const char* text) noexcept;

  [[nodiscard]] Reply Answer(const mg_connection* connection) const;

  const Routes routes_;
  const std::shared_ptr<spdlog::logger> logger_;
  const std::thread::id starter_ = std::this_thread::get_id();
  std::string trouble_;  // the library's first word to the thread that starts it: the cause
  mg_context* context_ = nullptr;
};

}  // namespace outbox::http
