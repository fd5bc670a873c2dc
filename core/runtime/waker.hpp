// Waits, on a session and a thread of its own, for wake-ups of the storage: notifications that rows were committed.
// Polling finds the rows of missed wake-ups, so failures of this session do not count as an outage of the database.
// Owned by Relay.
#pragma once

#include <spdlog/fwd.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "runtime/connection.hpp"

namespace outbox::runtime {

class Waker {
 public:
  // Starts the thread. `woken` is called on the waker's thread. REQUIRES: the plugin has outbox.wakeup/1.
  Waker(std::shared_ptr<storage::Store> store, std::shared_ptr<WatchdogHandle> handle,
        std::shared_ptr<spdlog::logger> logger, std::function<void()> woken);
  // Blocks until a call that is under way has returned.
  ~Waker();
  Waker(const Waker&) = delete;

  // Asks the thread to end and returns without waiting. Thread: any.
  void Stop();

 private:
  void Run();
  void LogChange(const Status& status);

  const std::shared_ptr<spdlog::logger> logger_;
  const std::function<void()> woken_;
  Connection connection_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  bool failing_ = false;  // true if the last logged state is that there are no wake-ups; used only by thread_
  std::thread thread_;
};

}  // namespace outbox::runtime
