// The HTTP endpoints of `outbox-relay run`: /healthz, /readyz, /metrics, /status. Requests are answered from memory,
// without waiting for the database or the broker.
#pragma once

#include <memory>

#include "config/config.hpp"
#include "monitoring/http_server.hpp"
#include "monitoring/metrics.hpp"
#include "runtime/backlog_reader.hpp"
#include "runtime/relay.hpp"

namespace outbox::monitoring {

class Endpoints {
 public:
  // Begins to answer requests. REQUIRES: `relay` outlives the endpoints; it need not be started yet.
  [[nodiscard]] static Result<std::unique_ptr<Endpoints>> Start(const config::Config& config,
                                                                const runtime::Relay& relay,
                                                                std::shared_ptr<storage::Store> store, Build build,
                                                                std::shared_ptr<spdlog::logger> logger);

  // Begins to query the tables for the backlog, at the configured interval.
  void BeginLooking();
  // Ends the backlog queries. Returns false if one is still running after `timeout`; destroying the object then blocks
  // until that query returns.
  [[nodiscard]] bool Stop(std::chrono::milliseconds timeout) { return !backlog_ || backlog_->Stop(timeout); }

 private:
  Endpoints(const config::Config& config, const runtime::Relay& relay, std::shared_ptr<storage::Store> store,
            Build build, std::shared_ptr<spdlog::logger> logger);

  [[nodiscard]] HttpRoutes Routes() const;
  [[nodiscard]] runtime::BacklogObservation Backlog() const;

  const config::Config& config_;
  const runtime::Relay& relay_;
  const std::shared_ptr<storage::Store> store_;
  const Build build_;
  const std::shared_ptr<spdlog::logger> logger_;
  std::atomic<runtime::BacklogReader*> looks_ = nullptr;  // points to *backlog_, for the server's thread
  std::unique_ptr<runtime::BacklogReader> backlog_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace outbox::monitoring
