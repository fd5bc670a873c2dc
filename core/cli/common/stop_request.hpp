// A request to stop, which the first signal sets and which threads can wait for.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

#include "cli/common/signals.hpp"

namespace outbox::cli {

// Functions that StopRequest calls with the number of a signal. They run on a thread of StopRequest and must not block.
struct StopHooks {
  std::function<void(int)> stopping;  // Called before a signal sets the request.
  std::function<void(int)> ignored;   // Called for each SIGHUP that does not ask for a stop.
};

// Watches for signals from its construction on. Thread: any.
//
// REQUIRES: constructed before any other thread is started, so that every thread blocks these signals.
class StopRequest {
 public:
  explicit StopRequest(StopHooks hooks = {});

  // Sets the request without a signal. REQUIRES: `reason`, which takes the place of the signal's number, is not 0.
  void Set(int reason);
  // Waits for the request, for at most `time`. Returns true if the request is set.
  [[nodiscard]] bool WaitFor(std::chrono::milliseconds time);
  // Waits for the request. Returns the number of the signal, or the reason that Set() was given.
  [[nodiscard]] int Wait();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int reason_ = 0;
  StopSignals signals_;  // The last member, because its thread uses the other members.
};

}  // namespace outbox::cli
