#include "runtime/hint_listener.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "util/shortage.hpp"

namespace outbox::runtime {
namespace {

// After at most kMaxAtOnce datagrams the listener pauses for kPauseMs milliseconds, so a flood of datagrams uses only a
// small part of a core.
constexpr int kPauseMs = 1;
constexpr int kMaxAtOnce = 256;

}  // namespace

Result<std::unique_ptr<HintListener>> HintListener::Start(const std::string& address, std::function<void()> heard) {
  auto socket = util::Bind("/relay/hints", address, SOCK_DGRAM);
  if (!socket.ok()) return socket.status();
  util::Descriptor stop(eventfd(0, EFD_CLOEXEC));
  if (stop.get() < 0) return StatusOf(std::system_error(errno, std::generic_category(), "eventfd"));
  std::string bound = address.substr(0, address.rfind(':') + 1) + std::to_string(util::PortOf(socket->get()));
  return std::unique_ptr<HintListener>(
      new HintListener(std::move(*socket), std::move(stop), std::move(bound), std::move(heard)));
}

HintListener::HintListener(util::Descriptor socket, util::Descriptor stop, std::string address,
                           std::function<void()> heard)
    : socket_(std::move(socket)),
      stop_(std::move(stop)),
      address_(std::move(address)),
      heard_(std::move(heard)),
      thread_([this] { Run(); }) {}

HintListener::~HintListener() {
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

void HintListener::Run() const {
  std::array<pollfd, 2> both{pollfd{stop_.get(), POLLIN, 0}, pollfd{socket_.get(), POLLIN, 0}};
  while (poll(both.data(), both.size(), -1) >= 0 || errno == EINTR) {
    if ((both[0].revents & POLLIN) != 0) return;
    char byte = 0;
    bool any = false;
    for (int i = 0; i < kMaxAtOnce && recv(socket_.get(), &byte, sizeof byte, 0) >= 0; ++i) any = true;
    if (any) heard_();
    if (poll(both.data(), 1, kPauseMs) > 0) return;
  }
}

}  // namespace outbox::runtime
