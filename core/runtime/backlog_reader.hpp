// Looks at the tables from time to time, on a session and a thread of its own: what waits, what is stuck, who works. It
// never holds up the leases, and who asks for the result never waits for the database.
#pragma once

#include <spdlog/fwd.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "config/config.hpp"
#include "runtime/connection.hpp"
#include "runtime/observation.hpp"

namespace outbox::runtime {

class Relay;

class BacklogReader {
 public:
  // `relay` must outlive it.
  BacklogReader(const Relay& relay, std::shared_ptr<storage::Store> store, config::Duration interval,
                config::Duration timeout, std::shared_ptr<spdlog::logger> logger);
  // Waits for a look that is under way.
  ~BacklogReader();

  [[nodiscard]] BacklogObservation Observe() const;  // any thread
  // False: a call still hangs after `timeout`, and destroying would wait for it.
  [[nodiscard]] bool Stop(std::chrono::milliseconds timeout);

 private:
  void Run();
  void Look();
  void Tell(const Status& status);

  const Relay& relay_;
  const Call call_;
  const std::chrono::milliseconds interval_;
  const std::shared_ptr<spdlog::logger> logger_;
  Connection connection_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false, ended_ = false;
  BacklogObservation seen_;
  bool told_ = false;  // that it cannot look; of the thread
  std::thread thread_;
};

}  // namespace outbox::runtime
