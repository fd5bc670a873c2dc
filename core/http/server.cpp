#include "http/server.hpp"

#include <civetweb.h>
#include <spdlog/logger.h>

#include <exception>
#include <string_view>

namespace outbox::http {
namespace {

// A request that is not complete after so long is given up, so that nobody holds a thread; and nothing that the relay is
// asked needs more. Bodies are not read.
constexpr const char* kRequestTimeoutMs = "1000";
constexpr const char* kLingerMs = "200";
constexpr const char* kMaxRequest = "4096";
constexpr const char* kThreads = "16";
constexpr const char* kWaiting = "32";

const char* Phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 503:
      return "Service Unavailable";
    default:
      return "Internal Server Error";
  }
}

std::string Head(const Reply& reply) {
  return fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n"
      "X-Content-Type-Options: nosniff\r\n{}Connection: close\r\n\r\n",
      reply.status, Phrase(reply.status), reply.type, reply.body.size(),
      reply.status == 405 ? "Allow: GET, HEAD\r\n" : "");
}

}  // namespace

Server::Server(Routes routes, std::shared_ptr<spdlog::logger> logger)
    : routes_(std::move(routes)), logger_(std::move(logger)) {}

Server::~Server() {
  if (context_ != nullptr) mg_stop(context_);
}

Result<std::unique_ptr<Server>> Server::Start(const std::string& listen, Routes routes,
                                              std::shared_ptr<spdlog::logger> logger) {
  std::unique_ptr<Server> server(new Server(std::move(routes), std::move(logger)));
  // Without a document_root the library has no files to offer, and Handle answers before it looks for any.
  const char* options[] = {"listening_ports",
                           listen.c_str(),
                           "num_threads",
                           kThreads,
                           "connection_queue",
                           kWaiting,
                           "request_timeout_ms",
                           kRequestTimeoutMs,
                           "linger_timeout_ms",
                           kLingerMs,
                           "max_request_size",
                           kMaxRequest,
                           "enable_keep_alive",
                           "no",
                           "enable_directory_listing",
                           "no",
                           "access_control_allow_origin",
                           "",
                           nullptr};
  mg_callbacks callbacks{};
  callbacks.begin_request = Handle;
  callbacks.log_message = Log;
  server->context_ = mg_start(&callbacks, server.get(), options);
  if (server->context_ == nullptr) {
    return Status(OUTBOX_BAD_CONFIG,
                  "/http/listen: cannot listen on " + listen + ": " + server->trouble_ +
                      "; name an address of this machine at which no other program or relay listens, "
                      "\"127.0.0.1:0\" for any port that is free, or \"\" to do without");
  }
  return server;
}

int Server::port() const {
  mg_server_port port{};
  return mg_get_server_ports(context_, 1, &port) == 1 ? port.port : 0;
}

int Server::Handle(mg_connection* connection) noexcept {
  try {
    const auto* server = static_cast<const Server*>(mg_get_user_data(mg_get_context(connection)));
    const Reply reply = server->Answer(connection);
    std::string text = Head(reply);
    if (std::string_view(mg_get_request_info(connection)->request_method) != "HEAD") text += reply.body;
    mg_write(connection, text.data(), text.size());
    return reply.status;
  } catch (const std::exception&) {
    return 500;  // out of memory: the connection is closed
  }
}

Reply Server::Answer(const mg_connection* connection) const {
  const mg_request_info& request = *mg_get_request_info(connection);
  const std::string_view method = request.request_method;
  if (method != "GET" && method != "HEAD") return {405, {}, "only GET and HEAD\n"};
  const auto route = routes_.find(std::string_view(request.local_uri == nullptr ? "" : request.local_uri));
  if (route != routes_.end()) return route->second();
  Reply missing{404, "text/plain; charset=utf-8", "not here; there are"};
  for (const auto& [path, unused] : routes_) missing.body += " " + path;
  missing.body += "\n";
  return missing;
}

int Server::Log(const mg_connection* connection, const char* text) noexcept {
  try {
    auto* server = static_cast<Server*>(mg_get_user_data(mg_get_context(connection)));
    if (std::this_thread::get_id() == server->starter_ && server->trouble_.empty()) server->trouble_ = text;
    server->logger_->debug("http: {}", text);
  } catch (const std::exception&) {
  }
  return 1;  // not to be written anywhere else
}

}  // namespace outbox::http
