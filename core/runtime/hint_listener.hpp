// Receives hints: datagrams that applications send after a commit, so that the relay polls at once. The content of a
// datagram does not matter. A hint may be lost, may come from anybody, or may come although nothing was committed. So
// an engine reads once for many hints, and never more often than a busy engine polls. Owned by Relay.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "util/listen.hpp"
#include "util/status.hpp"

namespace outbox::runtime {

class HintListener {
 public:
  // Starts the thread. `address` is ADDRESS:PORT, as for util::Bind. `heard` is called on the listener's own thread.
  // Errors: those of util::Bind, and kShortage.
  [[nodiscard]] static Result<std::unique_ptr<HintListener>> Start(const std::string& address,
                                                                   std::function<void()> heard);
  ~HintListener();
  HintListener(const HintListener&) = delete;

  // Returns ADDRESS:PORT with the actual port, even if port 0 was requested.
  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  HintListener(util::Descriptor socket, util::Descriptor stop, std::string address, std::function<void()> heard);
  void Run() const;

  const util::Descriptor socket_, stop_;
  const std::string address_;
  const std::function<void()> heard_;
  std::thread thread_;
};

}  // namespace outbox::runtime
