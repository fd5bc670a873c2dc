// A request to stop, which a signal makes once and which threads can wait for.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

#include "cli/common/signals.hpp"

namespace outbox::cli {

// Both get the number of the signal, run on a thread of StopRequest, and must not block.
struct StopHooks {
  std::function<void(int)> stopping;  // before the request is set
  std::function<void(int)> ignored;   // for each SIGHUP that does not ask for a stop
};

// Watches for signals from its construction on. Thread: any.
//
// REQUIRES: made before any other thread, so that every thread blocks these signals.
class StopRequest {
 public:
  explicit StopRequest(StopHooks hooks = {});

  // Sets the request without a signal; `reason` takes the place of its number and is not 0.
  void Set(int reason);
  // True if the request was set within `time`.
  [[nodiscard]] bool WaitFor(std::chrono::milliseconds time);
  // Returns the number of the signal, or what Set() was given.
  [[nodiscard]] int Wait();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int reason_ = 0;
  StopSignals signals_;  // last: its thread uses the others
};

}  // namespace outbox::cli
