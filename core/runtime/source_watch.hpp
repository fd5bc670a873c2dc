// Checks periodically that what inserts the rows, such as the trigger of a capture, is still in place. Without it the
// relay runs, but delivers nothing that is written from then on. It has a session and a thread of its own. Owned by
// Relay.
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

  // Does not wait for the thread to end. Thread: any.
  void Stop();
  // Returns what is wrong according to the last check that got an answer; "" = nothing. Thread: any.
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
