// Waits, on a session and a thread of its own, until the storage tells that rows were committed. A hint: what it misses,
// polling finds, so that its own troubles are no outage of the database.
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
  // `woken` runs on its thread. The plugin has outbox.wakeup/1.
  Waker(std::shared_ptr<storage::Store> store, std::shared_ptr<WatchdogHandle> handle,
        std::shared_ptr<spdlog::logger> logger, std::function<void()> woken);
  // Waits for a call that is under way.
  ~Waker();
  Waker(const Waker&) = delete;

  void Stop();  // any thread; does not wait

 private:
  void Run();
  void Tell(const Status& status);

  const std::shared_ptr<spdlog::logger> logger_;
  const std::function<void()> woken_;
  Connection connection_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  bool told_ = false;  // that it cannot wait; of the thread
  std::thread thread_;
};

}  // namespace outbox::runtime
