// What each signal does to the program. docs/guide/operations.md has the table for operators; both are tested together.
#pragma once

#include <csignal>
#include <functional>
#include <thread>

namespace outbox::cli {

// For every command, before anything else: signals that mean nothing to this program and would end it are ignored, and
// descriptors 0 to 2 that are closed are opened on /dev/null, so that no file or connection takes their numbers.
//
// SIGPIPE and SIGXFSZ are among the ignored ones: a write that fails is reported as an error, and a log that nobody reads
// is no reason to end.
//
// The signals that ask for a stop are held back from here on, so that one that arrives while a command starts is not
// lost and does not end it half-way: StopSignals or AllowStopSignals() takes it. Returns the signal mask as it was.
[[nodiscard]] sigset_t PrepareProcess();

// For commands that do not stop cleanly: the signals that PrepareProcess() holds back have their usual effect again,
// also those that have arrived. Those that whoever started the program had blocked stay blocked.
void AllowStopSignals(const sigset_t& mask_at_start);

// For commands that stop cleanly. SIGTERM and SIGINT ask for a stop, and so do SIGPWR and SIGXCPU; SIGHUP does where the
// program was started from a terminal, whose end it then reports, and is logged and ignored otherwise. A second one ends the
// process at once, if it is sent a second or more after the first: `timeout`, `tini -g` and a forwarded Ctrl-C send two
// within a millisecond.
//
// REQUIRES: made before any other thread, so that every thread blocks these signals.
class StopSignals {
 public:
  // `stop` gets the number of the first signal, once, and `ignored` that of each SIGHUP that is ignored; both run on a thread
  // of this object and must not block.
  explicit StopSignals(std::function<void(int)> stop, std::function<void(int)> ignored = {});
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

 private:
  void Watch();
  // The next signal that asks for a stop, or 0 at the end of this object.
  int Next();

  const std::function<void(int)> stop_, ignored_;
  const bool hangup_stops_;
  const int signals_;  // a signalfd
  const int leave_;    // an eventfd: the destructor's message to its own thread, which nobody else can send
  std::thread thread_;
};

// "SIGTERM"
[[nodiscard]] const char* SignalName(int signal);

}  // namespace outbox::cli
