// A small HTTP server for monitoring: GET and HEAD of some fixed paths. Of a request it looks at nothing but method and path.
//
// One thread serves all connections and waits for none of them, so that a client that sends nothing, or reads nothing, delays
// nobody. All that a client can send or hold is limited; docs/guide/operations.md has the numbers.
#pragma once

#include <spdlog/fwd.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "util/listen.hpp"
#include "util/status.hpp"

namespace outbox::monitoring {

struct HttpReply {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
};

// By path. Called on the server's thread; must not block.
using HttpRoutes = std::map<std::string, std::function<HttpReply()>, std::less<>>;

class HttpServer {
 public:
  // `listen` is ADDRESS:PORT, as util::Bind takes it. Errors: those of util::Bind, and kShortage.
  [[nodiscard]] static Result<std::unique_ptr<HttpServer>> Start(const std::string& listen, HttpRoutes routes);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;

  [[nodiscard]] int port() const { return util::PortOf(listener_.get()); }

 private:
  class Connections;

  HttpServer(util::Descriptor listener, util::Descriptor stop, HttpRoutes routes);
  void Run();

  const util::Descriptor listener_, stop_;
  const HttpRoutes routes_;
  std::thread thread_;
};

}  // namespace outbox::monitoring
