#include "monitoring/http_server.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <exception>
#include <list>
#include <string_view>
#include <vector>

#include "monitoring/http_request.hpp"
#include "util/shortage.hpp"

namespace outbox::monitoring {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// The time limit for receiving a request and the time limit for sending its answer. No request to the relay needs
// longer.
constexpr auto kRequestTime = 1s, kAnswerTime = 1s;
// The time that a connection stays open after its answer. Closing the connection while the client still sends loses the
// answer.
constexpr auto kLingerTime = 200ms;
// The pause after accept() has failed because of a shortage, if the server has no connection to close.
constexpr auto kAcceptPause = 100ms;
constexpr std::size_t kMaxConnections = 256;
constexpr int kMaxAccepted = 64;  // maximum number of connections that are accepted in a row

const char* Phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Internal Server Error";
  }
}

std::string Text(const HttpReply& reply, bool with_body) {
  std::string text = "HTTP/1.1 " + std::to_string(reply.status) + " " + Phrase(reply.status) +
                     "\r\nContent-Type: " + reply.type + "\r\nContent-Length: " + std::to_string(reply.body.size()) +
                     "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n" +
                     (reply.status == 405 ? "Allow: GET, HEAD\r\n" : "") + "Connection: close\r\n\r\n";
  if (with_body) text += reply.body;
  return text;
}

constexpr const char* kPlain = "text/plain; charset=utf-8";

HttpReply AnswerOf(const HttpRoutes& routes, const HttpRequest& request) {
  if (request.status != 200) return {request.status, kPlain, std::string(Phrase(request.status)) + "\n"};
  if (request.method != "GET" && request.method != "HEAD") return {405, kPlain, "only GET and HEAD are allowed\n"};
  if (const auto route = routes.find(request.path); route != routes.end()) return route->second();
  HttpReply missing{404, kPlain, "not found; the paths are:"};
  for (const auto& [path, unused] : routes) missing.body += " " + path;
  missing.body += "\n";
  return missing;
}

struct Connection {
  enum class Phase { kReading, kWriting, kLingering };

  util::Descriptor socket;
  Clock::time_point until;
  Phase phase = Phase::kReading;
  std::string in, out = {};
};

bool WouldBlock() { return errno == EAGAIN || errno == EINTR; }

// Returns a quarter of the number of file descriptors that this process may open, at most kMaxConnections: the database
// and Kafka need the rest.
std::size_t MaxConnections() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return kMaxConnections;
  return std::clamp<std::size_t>(static_cast<std::size_t>(limit.rlim_cur / 4), 1, kMaxConnections);
}

}  // namespace

// The open connections, in the order of their arrival. INVARIANT: there are at most MaxConnections() of them.
class HttpServer::Connections {
 public:
  explicit Connections(const HttpRoutes& routes) : routes_(routes) {}

  // Accepts new connections. Returns false if accept() fails because of a shortage and there is no connection to close,
  // so that a pause is needed.
  bool Accept(int listener) {
    for (int i = 0; i < kMaxAccepted; ++i) {
      const int socket = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (socket < 0) {
        if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) return true;
        if (all_.empty()) return false;
        GiveWay();
        continue;
      }
      util::Descriptor owned(socket);
      if (all_.size() >= max_) GiveWay();
      all_.push_back({std::move(owned), Clock::now() + kRequestTime, Connection::Phase::kReading, {}});
      if (!Serve(all_.back())) all_.pop_back();  // usually the request has already arrived
    }
    return true;
  }

  void AddTo(std::vector<pollfd>& wanted) const {
    for (const Connection& one : all_)
      wanted.push_back(
          {one.socket.get(), static_cast<short>(one.phase == Connection::Phase::kWriting ? POLLOUT : POLLIN), 0});
  }

  // Serves the connections on which poll() has reported activity. `seen` points to the entries that AddTo wrote.
  void ServeAll(const pollfd* seen) {
    for (auto one = all_.begin(); one != all_.end(); ++seen) {
      const bool stays = seen->revents == 0 || Serve(*one);
      one = stays && one->until > Clock::now() ? std::next(one) : all_.erase(one);
    }
  }

  [[nodiscard]] int WaitMs() const {
    if (all_.empty()) return -1;
    auto first = all_.front().until;
    for (const Connection& one : all_) first = std::min(first, one.until);
    return static_cast<int>(
        std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(first - Clock::now()).count()));
  }

 private:
  // Closes a connection to make room for a new one: the oldest connection that only lingers after its answer, or else
  // the oldest of all.
  void GiveWay() {
    const auto done = std::find_if(all_.begin(), all_.end(),
                                   [](const Connection& one) { return one.phase == Connection::Phase::kLingering; });
    all_.erase(done != all_.end() ? done : all_.begin());
  }

  // Continues with a connection. Returns false if the connection is to be closed.
  bool Serve(Connection& one) {
    try {
      if (one.phase == Connection::Phase::kReading && !Read(one)) return false;
      if (one.phase == Connection::Phase::kWriting && !Write(one)) return false;
      return one.phase != Connection::Phase::kLingering || Drain(one);
    } catch (const std::exception&) {
      return false;  // out of memory
    }
  }

  bool Read(Connection& one) {
    std::array<char, kMaxHead> bytes;
    const ssize_t count = recv(one.socket.get(), bytes.data(), bytes.size(), 0);
    if (count == 0 || (count < 0 && !WouldBlock())) return false;
    if (count < 0) return true;
    one.in.append(bytes.data(), static_cast<std::size_t>(count));
    const HttpRequest request = ParseHttpHead(one.in);
    if (request.status == 0) return true;
    one.out = Text(AnswerOf(routes_, request), request.method != "HEAD");
    one.in.clear();
    one.phase = Connection::Phase::kWriting;
    one.until = Clock::now() + kAnswerTime;
    return true;
  }

  static bool Write(Connection& one) {
    const ssize_t count = send(one.socket.get(), one.out.data(), one.out.size(), MSG_NOSIGNAL);
    if (count < 0) return WouldBlock();
    one.out.erase(0, static_cast<std::size_t>(count));
    if (!one.out.empty()) return true;
    shutdown(one.socket.get(), SHUT_WR);
    one.phase = Connection::Phase::kLingering;
    one.until = Clock::now() + kLingerTime;
    return true;
  }

  static bool Drain(const Connection& one) {
    std::array<char, kMaxHead> ignored;
    const ssize_t count = recv(one.socket.get(), ignored.data(), ignored.size(), 0);
    return count > 0 || (count < 0 && WouldBlock());
  }

  const HttpRoutes& routes_;
  const std::size_t max_ = MaxConnections();
  std::list<Connection> all_;
};

HttpServer::HttpServer(util::Descriptor listener, util::Descriptor stop, HttpRoutes routes)
    : listener_(std::move(listener)), stop_(std::move(stop)), routes_(std::move(routes)), thread_([this] { Run(); }) {}

HttpServer::~HttpServer() {
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

Result<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& listen, HttpRoutes routes) {
  auto listener = util::Bind("/http/listen", listen, SOCK_STREAM);
  if (!listener.ok()) return listener.status();
  util::Descriptor stop(eventfd(0, EFD_CLOEXEC));
  if (stop.get() < 0) return StatusOf(std::system_error(errno, std::generic_category(), "eventfd"));
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(*listener), std::move(stop), std::move(routes)));
}

void HttpServer::Run() {
  pthread_setname_np(pthread_self(), "http");
  Connections connections(routes_);
  std::vector<pollfd> wanted;
  for (bool accepting = true;;) {
    const int pause = static_cast<int>(std::chrono::milliseconds(kAcceptPause).count());
    wanted = {{stop_.get(), POLLIN, 0}, {accepting ? listener_.get() : -1, POLLIN, 0}};
    connections.AddTo(wanted);
    const int ready = poll(wanted.data(), wanted.size(), accepting ? connections.WaitMs() : pause);
    if (ready < 0) continue;
    if (wanted[0].revents != 0) return;
    connections.ServeAll(wanted.data() + 2);
    accepting = wanted[1].revents == 0 || connections.Accept(listener_.get());
  }
}

}  // namespace outbox::monitoring
