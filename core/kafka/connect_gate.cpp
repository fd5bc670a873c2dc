#include "kafka/connect_gate.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace outbox::kafka {
namespace {

using namespace std::chrono_literals;

// The first gap between login attempts at an address. It is longer than the first gap between producers
// (kafka/logins.hpp), each of which attempts one login when it is made. So a producer that is soon replaced makes no
// second attempt, but a client that is not replaced continues to try.
constexpr auto kFirstLogin = 2s;
constexpr auto kMaxLogin = 60s;

}  // namespace

ConnectGate::ConnectGate(const Settings& settings)
    : first_gap_(FirstReconnect(settings)), longest_gap_(std::max(first_gap_, LongestReconnect(settings))) {}

bool ConnectGate::Admits(const std::string& address, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  Door& door = DoorOf(address);
  if (!door.logins.Due(now) || now < door.not_before) return false;
  if (now - door.refused <= 3 * door.logins.gap()) {
    door.not_before = now + longest_gap_;
    return true;
  }
  if (!door.attempts.Due(now)) return std::exchange(door.spare, false);
  // An attempt this long after the previous one shows that a connection has worked since the previous attempt.
  if (now - door.attempted > 2 * longest_gap_) {
    door.attempts.Begin();
    door.spare = true;
  }
  door.attempted = now;
  door.attempts.Tried(now);
  return true;
}

void ConnectGate::Refused(const std::string& address, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  Door& door = DoorOf(address);
  // A refusal this long after the previous one shows that a login has worked since then, although LoginsWork was not
  // called.
  if (now - door.refused > 3 * door.logins.gap()) door.logins.Begin();
  door.refused = now;
  door.logins.Tried(now);
}

void ConnectGate::LoginsWork() {
  const std::lock_guard lock(mutex_);
  for (auto& [address, door] : doors_) {
    door.logins.Begin();
    door.refused = door.not_before = {};
  }
}

void ConnectGate::Open() {
  const std::lock_guard lock(mutex_);
  for (auto& [address, door] : doors_) {
    door.attempts.Hasten();
    door.logins.Hasten();
    door.not_before = {};
    door.spare = true;
  }
}

int ConnectGate::Connect(int socket, const sockaddr* where, int size, const char* address) {
  if (!Admits(address, Clock::now())) return ECANCELED;
  if (connect(socket, where, static_cast<socklen_t>(size)) == 0 || errno == EINPROGRESS) return 0;
  return errno;
}

bool ConnectGate::Prevented(std::string_view text) {
  return text.find(std::generic_category().message(ECANCELED)) != std::string_view::npos;
}

ConnectGate::Door& ConnectGate::DoorOf(const std::string& address) {
  return doors_
      .try_emplace(address, Door{TryGap(first_gap_, longest_gap_), TryGap(kFirstLogin, kMaxLogin), {}, {}, {}, true})
      .first->second;
}

}  // namespace outbox::kafka
