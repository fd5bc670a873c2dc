#include "cli/common/signals.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>
#include <system_error>

#include "cli/common/exit_code.hpp"

namespace outbox::cli {
namespace {

constexpr std::array kIgnored{SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM, SIGSTKFLT, SIGXFSZ, SIGVTALRM, SIGPROF, SIGIO};
constexpr std::array kWatched{SIGTERM, SIGINT, SIGHUP, SIGPWR, SIGXCPU};
constexpr int kSameStopMs = 1000;

sigset_t Watched() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : kWatched) sigaddset(&set, signal);
  return set;
}

bool HasTerminal() {
  const int terminal = open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (terminal >= 0) close(terminal);
  return terminal >= 0;
}

// Returns true if the process was started with `signal` ignored, as nohup does with SIGHUP.
bool IsIgnored(int signal) {
  struct sigaction action {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

int Opened(int descriptor, const char* call) {
  if (descriptor < 0) throw std::system_error(errno, std::generic_category(), call);
  return descriptor;
}

int OpenSignals() {
  const sigset_t watched = Watched();
  pthread_sigmask(SIG_BLOCK, &watched, nullptr);
  return Opened(signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd");
}

}  // namespace

sigset_t PrepareProcess() {
  sigset_t mask_at_start;
  const sigset_t watched = Watched();
  pthread_sigmask(SIG_BLOCK, &watched, &mask_at_start);
  for (const int signal : kIgnored) std::signal(signal, SIG_IGN);
  for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) std::signal(signal, SIG_IGN);
  // open() returns the lowest free number, so this order reopens each closed descriptor under its own number.
  // Descriptor 0 is opened for writing and 1 for reading, so that reading from or writing to a descriptor that was
  // closed is still an error.
  constexpr std::array kModes{O_WRONLY, O_RDONLY, O_RDWR};
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor)
    if (fcntl(descriptor, F_GETFD) < 0) (void)open("/dev/null", kModes[static_cast<std::size_t>(descriptor)]);
  return mask_at_start;
}

void AllowStopSignals(const sigset_t& mask_at_start) { pthread_sigmask(SIG_SETMASK, &mask_at_start, nullptr); }

StopSignals::StopSignals(std::function<void(int)> stop, std::function<void(int)> ignored)
    : stop_(std::move(stop)),
      ignored_(std::move(ignored)),
      hangup_stops_(!IsIgnored(SIGHUP) && HasTerminal()),
      signals_(OpenSignals()),
      leave_(Opened(eventfd(0, EFD_CLOEXEC), "eventfd")),
      thread_([this] { Watch(); }) {}

StopSignals::~StopSignals() {
  eventfd_write(leave_, 1);
  thread_.join();
  close(leave_);
  close(signals_);
}

int StopSignals::Next() {
  for (;;) {
    std::array<pollfd, 2> both{pollfd{leave_, POLLIN, 0}, pollfd{signals_, POLLIN, 0}};
    if (poll(both.data(), both.size(), -1) < 0) continue;
    if (both[0].revents != 0) return 0;
    signalfd_siginfo info{};
    if (read(signals_, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) continue;
    const auto signal = static_cast<int>(info.ssi_signo);
    if (signal != SIGHUP || hangup_stops_) return signal;
    if (ignored_) ignored_(signal);
  }
}

void StopSignals::Watch() {
  const int first = Next();
  if (first == 0) return;
  stop_(first);
  // Signals that arrive within a second of the first one count as the same request to stop, even if this thread reads
  // them late.
  pollfd leave{leave_, POLLIN, 0};
  if (poll(&leave, 1, kSameStopMs) > 0) return;
  for (signalfd_siginfo info{}; read(signals_, &info, sizeof info) > 0;) continue;
  // The kernel repeats SIGXCPU every second once the limit is reached, so this signal never counts as the second one.
  int second = Next();
  while (second == SIGXCPU) second = Next();
  if (second == 0) return;
  constexpr std::string_view kText = "outbox-relay: a second signal: ended at once, before the stop was complete\n";
  (void)!write(STDERR_FILENO, kText.data(), kText.size());
  _exit(kFailure);
}

const char* SignalName(int signal) {
  switch (signal) {
    case SIGTERM:
      return "SIGTERM";
    case SIGINT:
      return "SIGINT";
    case SIGHUP:
      return "SIGHUP";
    case SIGPWR:
      return "SIGPWR";
    case SIGXCPU:
      return "SIGXCPU";
    default:
      return "signal";
  }
}

}  // namespace outbox::cli
