// Looks once a minute whether what brings the rows is still in place, such as a trigger on a table of the application's: without
// it the relay runs, and delivers nothing of what is written from then on.
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

  void Stop();  // any thread; does not wait
  // Any thread. What is wrong, as found by the last look that got an answer; "" = nothing.
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
