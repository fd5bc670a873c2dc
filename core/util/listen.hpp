// Sockets on which the relay listens. An address has the form ADDRESS:PORT and is numeric, with an IPv6 address in
// brackets. Port 0 means any free port.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "util/status.hpp"

namespace outbox::util {

// Owns a file descriptor and closes it; -1 = none.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

// Returns a non-blocking socket that is bound to `address`. `type` is SOCK_DGRAM, or SOCK_STREAM for a socket that
// listens. `key` is the JSON pointer of the address in the configuration, for messages.
//
// Errors: kShortage if the address may become available, because another program uses it now or a resource has run out;
// OUTBOX_BAD_CONFIG if the address will never be available.
[[nodiscard]] Result<Descriptor> Bind(const std::string& key, const std::string& address, int type);

// Begins a non-blocking connection to `address` and returns its socket. The unspecified address means this machine.
[[nodiscard]] Result<Descriptor> Connect(const std::string& address);

// Returns the port of a bound socket; 0 = unknown.
[[nodiscard]] std::uint16_t PortOf(int socket);

// Returns true if other networks may be able to reach a listener on this address: if it is the unspecified address,
// which stands for all addresses of this machine, or one that is neither a loopback address nor reserved for private
// networks.
[[nodiscard]] bool IsPublic(const std::string& address);

}  // namespace outbox::util
