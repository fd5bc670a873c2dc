#include "engine/hint_listener.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

namespace outbox::engine {
namespace {

// So that a flood of datagrams costs little of a core.
constexpr int kPauseMs = 1;
constexpr int kMostAtOnce = 256;

Status Unusable(const std::string& address, const std::string& why) {
  return {OUTBOX_BAD_CONFIG, "/relay/hints: cannot listen on " + address + ": " + why +
                                 "; name an address of this machine at which no other program or relay listens, "
                                 "\"127.0.0.1:0\" for any port that is free, or \"\" to do without"};
}

std::uint16_t PortOf(int socket) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return 0;
  return ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                                           : reinterpret_cast<const sockaddr_in&>(bound).sin_port);
}

}  // namespace

Result<std::unique_ptr<HintListener>> HintListener::Start(const std::string& address, std::function<void()> heard) {
  const std::size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  addrinfo wanted{}, *raw = nullptr;
  wanted.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  wanted.ai_socktype = SOCK_DGRAM;
  if (const int wrong = getaddrinfo(host.c_str(), address.substr(colon + 1).c_str(), &wanted, &raw); wrong != 0)
    return Unusable(address, gai_strerror(wrong));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> found(raw, freeaddrinfo);
  const int socket = ::socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int stop = eventfd(0, EFD_CLOEXEC);
  if (socket < 0 || stop < 0 || bind(socket, found->ai_addr, found->ai_addrlen) != 0) {
    const std::string why = std::generic_category().message(errno);
    close(socket);
    close(stop);
    return Unusable(address, why);
  }
  return std::unique_ptr<HintListener>(
      new HintListener(socket, stop, address.substr(0, colon + 1) + std::to_string(PortOf(socket)), std::move(heard)));
}

HintListener::HintListener(int socket, int stop, std::string address, std::function<void()> heard)
    : socket_(socket), stop_(stop), address_(std::move(address)), heard_(std::move(heard)), thread_([this] {
        Run();
      }) {}

HintListener::~HintListener() {
  eventfd_write(stop_, 1);
  thread_.join();
  close(socket_);
  close(stop_);
}

void HintListener::Run() const {
  std::array<pollfd, 2> both{pollfd{stop_, POLLIN, 0}, pollfd{socket_, POLLIN, 0}};
  while (poll(both.data(), both.size(), -1) >= 0 || errno == EINTR) {
    if ((both[0].revents & POLLIN) != 0) return;
    char byte = 0;
    bool any = false;
    for (int i = 0; i < kMostAtOnce && recv(socket_, &byte, sizeof byte, 0) >= 0; ++i) any = true;
    if (any) heard_();
    if (poll(both.data(), 1, kPauseMs) > 0) return;
  }
}

}  // namespace outbox::engine
