// Tells relays, after a commit, that there is something to read. They find it without as well, at their next look, up to
// poll_interval later: a hint that is lost costs time and nothing else. It takes no lock, and the database knows nothing
// of it. The relays have "hints": "ADDRESS:PORT" under "relay" in their configuration; docs/guide/emit.md tells more.
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

class Hint {
 public:
  // Of every relay that may have the outbox, or a share of it. HOST:PORT, an address of IPv6 in brackets. Names are looked
  // up here, once. Throws std::invalid_argument for what is no such address or is not known, std::runtime_error where the
  // system gives no socket.
  Hint(std::initializer_list<std::string> relays) : Hint(std::vector<std::string>(relays)) {}
  explicit Hint(const std::vector<std::string>& relays) {
    for (const std::string& relay : relays) relays_.push_back(Find(relay));
  }

  // [any thread] A datagram to each. Does not wait, and cannot know whether it came.
  void Send() const noexcept {
    for (const Relay& relay : relays_)
      (void)sendto(relay.socket.number, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL,
                   reinterpret_cast<const sockaddr*>(&relay.address), relay.size);
  }

 private:
  // Not connected: after an answer that nobody listens, the next send on one that is would fail.
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
      refuse(std::string(gai_strerror(wrong)) + "; it must be HOST:PORT");
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> found(raw, freeaddrinfo);
    Relay relay{Socket(found->ai_family)};
    if (relay.socket.number < 0)
      throw std::runtime_error("no socket for hints: " + std::generic_category().message(errno));
    std::memcpy(&relay.address, found->ai_addr, found->ai_addrlen);
    relay.size = found->ai_addrlen;
    return relay;
  }

  std::vector<Relay> relays_;
};

}  // namespace outbox::emit
