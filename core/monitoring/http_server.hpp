// A small HTTP server for monitoring: GET and HEAD of some fixed paths. It uses only the method and the path of a
// request.
//
// One thread serves all connections and never blocks on one of them, so that a client which sends nothing or reads
// nothing delays no other client. The amount of data that a client can send and of resources that it can occupy is
// limited; docs/guide/operations.md has the numbers.
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

// The functions that answer requests, by path. They are called on the server's thread and must not block.
using HttpRoutes = std::map<std::string, std::function<HttpReply()>, std::less<>>;

// Owned by Endpoints. It serves all requests on a thread of its own.
class HttpServer {
 public:
  // Starts the server. `listen` is ADDRESS:PORT, as for util::Bind. Errors: those of util::Bind, and kShortage.
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
