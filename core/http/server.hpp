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

#include "net/listen.hpp"
#include "status.hpp"

namespace outbox::http {

struct Reply {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
};

// By path. Called on the server's thread; must not block.
using Routes = std::map<std::string, std::function<Reply()>, std::less<>>;

class Server {
 public:
  // `listen` is ADDRESS:PORT, as net::Bind takes it. Errors: those of net::Bind, and kShortage.
  [[nodiscard]] static Result<std::unique_ptr<Server>> Start(const std::string& listen, Routes routes);
  ~Server();
  Server(const Server&) = delete;

  [[nodiscard]] int port() const { return net::PortOf(listener_.get()); }

 private:
  class Connections;

  Server(net::Descriptor listener, net::Descriptor stop, Routes routes);
  void Run();

  const net::Descriptor listener_, stop_;
  const Routes routes_;
  std::thread thread_;
};

}  // namespace outbox::http
