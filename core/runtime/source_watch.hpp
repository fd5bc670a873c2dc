// Checks periodically that the source of the rows, such as the trigger of a capture, is still in place. If the source
// is missing, the relay runs and receives none of the rows that the application writes from then on. The check has a
// session and a thread of its own. Owned by Relay.
#pragma once

#include <spdlog/fwd.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "config/config.hpp"
#include "runtime/connection.hpp"

namespace outbox::runtime {

class SourceWatch {
 public:
  SourceWatch(std::shared_ptr<storage::Store> store, std::shared_ptr<WatchdogHandle> handle, config::Duration interval,
              Millis timeout, std::shared_ptr<spdlog::logger> logger);
  // Blocks until a call that is under way has returned.
  ~SourceWatch();
  SourceWatch(const SourceWatch&) = delete;

  // Asks the thread to end and returns without waiting. Thread: any.
  void Stop();
  // Returns the problem that the last answered check has found; "" = none. Thread: any.
  [[nodiscard]] std::string Problem() const;

 private:
  void Run();
  void Note(const Status& status);

  const config::Duration interval_;
  const Call call_;
  const std::shared_ptr<spdlog::logger> logger_;
  Connection connection_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  std::string problem_;
  std::thread thread_;
};

}  // namespace outbox::runtime
