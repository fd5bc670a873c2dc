// Addresses that the relay listens at: ADDRESS:PORT in numbers, an IPv6 address in brackets; port 0 = any that is free.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "util/status.hpp"

namespace outbox::util {

// Owns a descriptor.
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

// A non-blocking socket of `type` that is bound to `address`: SOCK_DGRAM, or SOCK_STREAM, which then listens. `key` is the JSON pointer of the
// address in the configuration.
//
// Errors: kShortage if the address may be had later, because somebody else has it now or a resource has run out;
// OUTBOX_BAD_CONFIG if it can never be had.
[[nodiscard]] Result<Descriptor> Bind(const std::string& key, const std::string& address, int type);

// A non-blocking connection that is being made to what listens at `address`; the unspecified address stands for this machine.
[[nodiscard]] Result<Descriptor> Connect(const std::string& address);

// The port that a bound socket has; 0 = unknown.
[[nodiscard]] std::uint16_t PortOf(int socket);

// True for an address that anybody may be able to reach: every address of this machine, or one that is neither for this machine
// nor for private networks alone.
[[nodiscard]] bool IsPublic(const std::string& address);

}  // namespace outbox::util
