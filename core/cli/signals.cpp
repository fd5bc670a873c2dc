#include "cli/signals.hpp"

#include <pthread.h>
#include <unistd.h>

#include "cli/exit_code.hpp"

namespace outbox::cli {
namespace {

constexpr int kLeave = SIGUSR1;  // from the destructor to its own thread

}  // namespace

StopSignals::StopSignals(std::function<void(int)> stop) : stop_(std::move(stop)) {
  for (const int signal : {SIGPIPE, SIGXFSZ}) std::signal(signal, SIG_IGN);
  sigemptyset(&watched_);
  for (const int signal : {SIGTERM, SIGINT, kLeave}) sigaddset(&watched_, signal);
  pthread_sigmask(SIG_BLOCK, &watched_, nullptr);
  thread_ = std::thread([this] { Watch(); });
}

StopSignals::~StopSignals() {
  pthread_kill(thread_.native_handle(), kLeave);
  thread_.join();
}

void StopSignals::Watch() {
  int received = 0;
  for (int signal = 0; sigwait(&watched_, &signal) == 0 && signal != kLeave;) {
    if (++received > 1) _exit(kFailure);
    stop_(signal);
  }
}

}  // namespace outbox::cli
