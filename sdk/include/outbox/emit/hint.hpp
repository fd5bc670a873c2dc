// Sends a hint to relays after a commit, so that they poll at once. Without a hint they find the events at their next
// poll, up to poll_interval later, so a hint that is lost costs only time. Sending a hint takes no lock and does not
// involve the database. The relays need "hints": "ADDRESS:PORT" under "relay" in their configuration;
// docs/guide/emit.md describes the setting "hints".
//
//   const emit::Hint hint({"10.0.0.7:9310", "10.0.0.8:9310"});   // once
//   transaction.commit();
//   hint.Send();
#pragma once

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace outbox::emit {

// Sends hints to a fixed set of relays. The application creates it once and owns it.
class Hint {
 public:
  // `relays` are the addresses of all relays that may own shards of the outbox, each as HOST:PORT, with an IPv6 address
  // in brackets. Host names are resolved once, in this constructor.
  //
  // Errors: throws std::invalid_argument if an address is not of this form or cannot be resolved, std::runtime_error if
  // the system provides no socket.
  Hint(std::initializer_list<std::string> relays) : Hint(std::vector<std::string>(relays)) {}
  explicit Hint(const std::vector<std::string>& relays) {
    for (const std::string& relay : relays) relays_.push_back(Find(relay));
  }

  // Sends a datagram to each relay. It does not block, and does not detect whether the datagram arrives. Thread: any.
  void Send() const noexcept {
    for (const Relay& relay : relays_)
      (void)sendto(relay.socket.number, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL,
                   reinterpret_cast<const sockaddr*>(&relay.address), relay.size);
  }

 private:
  // The socket is deliberately not connected: on a connected socket, the next send fails after the other host has
  // answered that nobody listens on the port.
  struct Socket {
    explicit Socket(int family) : number(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}
    Socket(Socket&& other) noexcept : number(std::exchange(other.number, -1)) {}
    ~Socket() {
      if (number >= 0) close(number);
    }
    int number;
  };
  struct Relay {
    Socket socket;
    sockaddr_storage address{};
    socklen_t size = 0;
  };

  static Relay Find(const std::string& text) {
    const std::size_t colon = text.rfind(':');
    const auto refuse = [&](const std::string& why) {
      throw std::invalid_argument("the relay's address \"" + text + "\": " + why);
    };
    std::uint16_t port = 0;
    const char* const end = text.data() + text.size();
    const bool has_port = colon != std::string::npos && std::from_chars(text.data() + colon + 1, end, port).ptr == end;
    if (!has_port || port == 0 || colon == 0) refuse("it must be HOST:PORT");
    std::string host = text.substr(0, colon);
    if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    addrinfo wanted{}, *raw = nullptr;
    wanted.ai_flags = AI_NUMERICSERV;
    wanted.ai_socktype = SOCK_DGRAM;
    if (const int wrong = getaddrinfo(host.c_str(), text.c_str() + colon + 1, &wanted, &raw); wrong != 0)
      refuse("cannot resolve host \"" + host + "\": " + gai_strerror(wrong) +
             "; expected a host name that resolves, or an IP address");
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> found(raw, freeaddrinfo);
    Relay relay{Socket(found->ai_family)};
    if (relay.socket.number < 0)
      throw std::runtime_error("cannot create a socket for hints: " + std::generic_category().message(errno));
    std::memcpy(&relay.address, found->ai_addr, found->ai_addrlen);
    relay.size = found->ai_addrlen;
    return relay;
  }

  std::vector<Relay> relays_;
};

}  // namespace outbox::emit
