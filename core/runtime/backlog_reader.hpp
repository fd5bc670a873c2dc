// Queries the tables periodically for the size of the backlog, the failed events and the owners of shards. The reader
// has a session and a thread of its own, so it never delays the leases, and the callers of Observe never wait for the
// database. Owned by monitoring::Endpoints.
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
  // Begins to query the tables. REQUIRES: `relay` outlives this object.
  BacklogReader(const Relay& relay, std::shared_ptr<storage::Store> store, config::Duration interval,
                config::Duration timeout, std::shared_ptr<spdlog::logger> logger);
  // Blocks until a query that is under way has returned.
  ~BacklogReader();

  // Returns the result of the last query. Thread: any.
  [[nodiscard]] BacklogObservation Observe() const;
  // Ends the backlog queries. Returns false if one is still running after `timeout`; destroying the object then blocks
  // until that query returns.
  [[nodiscard]] bool Stop(std::chrono::milliseconds timeout);

 private:
  void Run();
  void Query();
  void LogChange(const Status& status);

  const Relay& relay_;
  const Call call_;
  const std::chrono::milliseconds interval_;
  const std::shared_ptr<spdlog::logger> logger_;
  Connection connection_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false, ended_ = false;
  BacklogObservation seen_;
  bool failing_ = false;  // true if the last logged state is that queries fail; used only by thread_
  std::thread thread_;
};

}  // namespace outbox::runtime
