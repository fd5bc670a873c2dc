#include "sqlite/watch.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

namespace outbox::sqlite {
namespace {

// Time after a change of the files during which data_version is checked every kLookAgain. SQLite writes the pages
// first. The commit becomes visible a moment later, without a further change that inotify reports.
constexpr auto kCommitFollows = std::chrono::milliseconds(50);
constexpr Millis kLookAgain{1};
// Maximum time of one sleep, after which a cancel is noticed.
constexpr Millis kMaxSleep{100};

}  // namespace

Watch::Watch(Connection& connection) : connection_(connection), data_version_(connection, "pragma data_version") {
  const std::filesystem::path file = sqlite3_db_filename(connection.raw(), "main");
  name_ = file.filename();
  version_ = Version();
  changes_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (changes_ < 0 || inotify_add_watch(changes_, file.parent_path().c_str(), IN_MODIFY | IN_DELETE) < 0) {
    const std::string why = std::generic_category().message(errno);
    if (changes_ >= 0) close(changes_);
    throw Error(OUTBOX_UNAVAILABLE, file.parent_path().string() + " cannot be watched (inotify): " + why);
  }
}

Watch::~Watch() { close(changes_); }

long long Watch::Version() {
  data_version_.Bind();
  const long long version = data_version_.Step() ? data_version_.Number(0) : 0;
  data_version_.Reset();
  return version;
}

bool Watch::TakeChanges() const {
  bool ours = false;
  alignas(inotify_event) std::array<char, 16 * 1024> buffer{};
  for (ssize_t size = 0; (size = read(changes_, buffer.data(), buffer.size())) > 0;) {
    for (const char* at = buffer.data(); at < buffer.data() + size;) {
      const auto* const event = reinterpret_cast<const inotify_event*>(at);
      at += sizeof(inotify_event) + event->len;
      // A notification about an overflow has no name, and the lost notifications may have been about any file.
      ours = ours || event->len == 0 || std::string_view(event->name).starts_with(name_);
    }
  }
  return ours;
}

bool Watch::Wait() {
  using Clock = std::chrono::steady_clock;
  auto look_until = Clock::now() + kCommitFollows;
  for (;;) {
    if (const long long version = Version(); version != version_) {
      version_ = version;
      return true;
    }
    const Millis left = connection_.Left();
    if (connection_.cancelled()) throw Error(OUTBOX_CANCELLED, "cancelled");
    if (left <= Millis(0)) return false;
    const auto sleep = std::min(left, Clock::now() < look_until ? kLookAgain : kMaxSleep);
    pollfd polled{changes_, POLLIN, 0};
    if (poll(&polled, 1, static_cast<int>(sleep.count())) > 0 && TakeChanges())
      look_until = Clock::now() + kCommitFollows;
  }
}

}  // namespace outbox::sqlite
