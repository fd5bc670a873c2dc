// Handles the signals that the program receives. docs/guide/operations.md lists the effect of each signal, and
// tests/integration/test_process.py tests these effects.
#pragma once

#include <csignal>
#include <functional>
#include <thread>

namespace outbox::cli {

// Prepares the process for every command. Ignores signals that have no meaning for this program but would end it. Opens
// /dev/null for each of the descriptors 0 to 2 that is closed, so that no file or connection gets its number.
//
// SIGPIPE and SIGXFSZ are among the ignored signals: a write that fails is reported as an error, and a log that nobody
// reads is no reason to end.
//
// Blocks the signals that ask for a stop, so that a signal that arrives while a command starts is not lost and does not
// end the command half-way: the signal stays pending until StopSignals or AllowStopSignals() accepts it. Returns the
// previous signal mask.
//
// REQUIRES: called before anything else in main.
[[nodiscard]] sigset_t PrepareProcess();

// Restores the signal mask, for commands that do not stop cleanly. The signals that PrepareProcess() has blocked,
// including those that are pending, then have their usual effect. Signals that the parent process had blocked stay
// blocked.
void AllowStopSignals(const sigset_t& mask_at_start);

// Handles signals for commands that stop cleanly. SIGTERM, SIGINT, SIGPWR and SIGXCPU ask for a stop. SIGHUP asks for a
// stop only if the program was started from a terminal, because the signal then reports the end of that terminal;
// otherwise it is logged and ignored. A second signal ends the process at once, but only if it is sent a second or more
// after the first, because `timeout`, `tini -g` and a forwarded Ctrl-C send two within a millisecond.
//
// REQUIRES: constructed before any other thread is started, so that every thread blocks these signals.
class StopSignals {
 public:
  // `stop` is called once, with the number of the first signal. `ignored` is called for each SIGHUP that is ignored.
  // Both run on this object's thread and must not block.
  explicit StopSignals(std::function<void(int)> stop, std::function<void(int)> ignored = {});
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

 private:
  void Watch();
  // Waits for the next signal that asks for a stop and returns its number, or 0 once the destructor runs.
  int Next();

  const std::function<void(int)> stop_, ignored_;
  const bool hangup_stops_;
  const int signals_;  // A signalfd.
  const int leave_;    // An eventfd by which the destructor ends the thread. Nothing else can write to it.
  std::thread thread_;
};

// Returns the name of a signal that asks for a stop, such as "SIGTERM".
[[nodiscard]] const char* SignalName(int signal);

}  // namespace outbox::cli
