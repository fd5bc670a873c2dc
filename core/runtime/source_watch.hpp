// Checks periodically that the source of the rows, such as the trigger of a capture, is still in place. Without the
// source, the relay would run and deliver nothing that is written from then on. The check has a session and a thread of
// its own. Owned by Relay.
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
  // Waits for a call that is under way.
  ~SourceWatch();
  SourceWatch(const SourceWatch&) = delete;

  // Asks the thread to end, and does not wait for it. Thread: any.
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
