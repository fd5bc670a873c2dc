// Hears applications that say, after a commit, that there is something to read: a datagram, whatever is in it. A hint,
// which may be lost, come from anybody, or come for nothing; an engine reads once for many of them, and no more often than
// a busy one polls.
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
  // `address` is ADDRESS:PORT, as util::Bind takes it. `heard` runs on a thread of the listener's own. Errors: those of
  // util::Bind, and kShortage.
  [[nodiscard]] static Result<std::unique_ptr<HintListener>> Start(const std::string& address,
                                                                   std::function<void()> heard);
  ~HintListener();
  HintListener(const HintListener&) = delete;

  // ADDRESS:PORT with the port that it got.
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
