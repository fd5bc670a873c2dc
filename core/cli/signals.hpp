// SIGTERM and SIGINT: the first asks for a clean stop, the second ends the process at once.
#pragma once

#include <csignal>
#include <functional>
#include <thread>

namespace outbox::cli {

// To be made before any other thread, which then never sees these signals. SIGPIPE and SIGXFSZ are ignored from here on: a log
// that nobody reads, or whose file may not grow, is no reason to end.
class StopSignals {
 public:
  // `stop` gets the signal's number, once, on a thread of this object; it must not block.
  explicit StopSignals(std::function<void(int)> stop);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

 private:
  void Watch();

  std::function<void(int)> stop_;
  sigset_t watched_{};
  std::thread thread_;
};

}  // namespace outbox::cli
