#include "points.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace outbox::crash_points {
namespace {

constexpr std::size_t kNobody = kNames.size();

std::size_t wanted = kNobody;
unsigned long wanted_at = 1;
bool counting = false;
int log_file = -1;
std::array<std::atomic<unsigned long>, kNames.size()> passed{};

[[noreturn]] void Refuse(const std::string& why) {
  std::fprintf(stderr, "crash points: %s\n", why.c_str());
  _exit(2);
}

[[noreturn]] void Die(std::size_t point) {
  std::array<iovec, 2> line{iovec{const_cast<char*>(kNames[point].data()), kNames[point].size()},
                            iovec{const_cast<char*>("\n"), 1}};
  [[maybe_unused]] const auto written = writev(log_file, line.data(), line.size());
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

std::string Environment(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

__attribute__((constructor)) void Choose() {
  const std::string name = Environment("OUTBOX_CRASH_POINT"), at = Environment("OUTBOX_CRASH_AT"),
                    log = Environment("OUTBOX_CRASH_LOG");
  if (name.empty()) return;
  if (name == "list") {
    for (const std::string_view one : kNames) std::printf("%.*s\n", static_cast<int>(one.size()), one.data());
    std::fflush(stdout);
    _exit(0);
  }
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  counting = name == "count";
  if (found == kNames.end() && !counting) Refuse("OUTBOX_CRASH_POINT: there is no '" + name + "'");
  if (!at.empty()) {
    char* end = nullptr;
    wanted_at = std::strtoul(at.c_str(), &end, 10);
    if (*end != '\0' || wanted_at == 0) Refuse("OUTBOX_CRASH_AT: '" + at + "' is not a whole number of 1 or more");
  }
  log_file = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log_file < 0) Refuse("OUTBOX_CRASH_LOG: cannot write '" + log + "'");
  wanted = static_cast<std::size_t>(found - kNames.begin());
}

__attribute__((destructor)) void TellCounts() {
  if (!counting) return;
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (passed[i] > 0) dprintf(log_file, "%s %lu\n", kNames[i].data(), passed[i].load());
}

}  // namespace

void Pass(Point point, const std::function<void()>& last) {
  if (wanted != point.index && !counting) return;
  if (passed[point.index].fetch_add(1) + 1 != wanted_at || counting) return;
  if (last) last();
  Die(point.index);
}

}  // namespace outbox::crash_points
