#include "util/listen.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <system_error>

#include "util/shortage.hpp"

namespace outbox::util {
namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Addresses Parse(const std::string& address, int type, int& error) {
  const std::size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  addrinfo wanted{}, *raw = nullptr;
  wanted.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  wanted.ai_socktype = type;
  error = getaddrinfo(host.c_str(), address.substr(colon + 1).c_str(), &wanted, &raw);
  return {raw, freeaddrinfo};
}

const char* Advice(int error) {
  switch (error) {
    case EADDRINUSE:
      return "another program listens there, perhaps a relay that has not exited yet; stop it, or set another port, or "
             "port 0 for any free port";
    case EADDRNOTAVAIL:
      return "no interface of this machine has this address now; correct it, unless the address is assigned later";
    case EACCES:
    case EPERM:
      return "this user lacks permission to use this port; set a port of 1024 or above";
    case EAFNOSUPPORT:
      return "this machine has no IPv6; set an IPv4 address such as 127.0.0.1";
    default:
      return "set an address of this machine on which no other program or relay listens, or \"\" not to listen";
  }
}

Status Unusable(const std::string& key, const std::string& address, int error) {
  return {IsShortage(error) ? kShortage : outbox_code{OUTBOX_BAD_CONFIG},
          key + ": cannot listen on " + address + ": " + std::generic_category().message(error) + "; " + Advice(error)};
}

bool IsPublicV4(std::uint32_t address) {
  const auto in = [address](std::uint32_t network, int bits) {
    return address >> (32 - bits) == network >> (32 - bits);
  };
  return !in(0x7F000000, 8) && !in(0x0A000000, 8) && !in(0xAC100000, 12) && !in(0xC0A80000, 16) &&
         !in(0xA9FE0000, 16) && !in(0x64400000, 10);
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

Result<Descriptor> Bind(const std::string& key, const std::string& address, int type) {
  int wrong = 0;
  const Addresses found = Parse(address, type, wrong);
  if (wrong == EAI_SYSTEM || wrong == EAI_MEMORY) return Unusable(key, address, wrong == EAI_MEMORY ? ENOMEM : errno);
  if (wrong != 0)
    return Status(OUTBOX_BAD_CONFIG, key + ": cannot listen on " + address + ": " + gai_strerror(wrong) +
                                         "; expected a numeric address and a port, such as 127.0.0.1:9464");
  Descriptor bound(socket(found->ai_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (bound.get() < 0) return Unusable(key, address, errno);
  // Connections of a relay that has exited linger for a minute, and must not keep the next relay from binding the
  // address.
  const int yes = 1;
  if (type == SOCK_STREAM) setsockopt(bound.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(bound.get(), found->ai_addr, found->ai_addrlen) != 0) return Unusable(key, address, errno);
  // Two sockets can be bound to the same address as long as neither of them listens, but only one can listen.
  if (type == SOCK_STREAM && listen(bound.get(), SOMAXCONN) != 0) return Unusable(key, address, errno);
  return bound;
}

std::uint16_t PortOf(int socket) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return 0;
  return ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                                           : reinterpret_cast<const sockaddr_in&>(bound).sin_port);
}

Result<Descriptor> Connect(const std::string& address) {
  int wrong = 0;
  const Addresses found = Parse(address, SOCK_STREAM, wrong);
  if (wrong != 0) return Status(OUTBOX_BAD_CONFIG, gai_strerror(wrong));
  Descriptor link(socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // Linux treats a connection to the unspecified address as one to the machine itself.
  if (link.get() < 0 || (connect(link.get(), found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS))
    return Status(OUTBOX_UNAVAILABLE, std::generic_category().message(errno));
  return link;
}

bool IsPublic(const std::string& address) {
  int wrong = 0;
  const Addresses found = Parse(address, SOCK_STREAM, wrong);
  if (wrong != 0) return false;
  if (found->ai_family == AF_INET)
    return IsPublicV4(ntohl(reinterpret_cast<const sockaddr_in&>(*found->ai_addr).sin_addr.s_addr));
  const in6_addr& v6 = reinterpret_cast<const sockaddr_in6&>(*found->ai_addr).sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    const auto byte = [&](std::size_t i) { return std::uint32_t{v6.s6_addr[i]}; };
    return IsPublicV4(byte(12) << 24 | byte(13) << 16 | byte(14) << 8 | byte(15));
  }
  const bool unique_local = (v6.s6_addr[0] & 0xFE) == 0xFC;
  return !IN6_IS_ADDR_LOOPBACK(&v6) && !IN6_IS_ADDR_LINKLOCAL(&v6) && !unique_local;
}

}  // namespace outbox::util
