// What `outbox-relay run` tells over HTTP: /healthz, /readyz, /metrics, /status. A request is answered from memory; it
// never waits for the database or the broker.
#pragma once

#include <memory>

#include "config/config.hpp"
#include "engine/backlog_reader.hpp"
#include "engine/relay.hpp"
#include "http/server.hpp"
#include "observe/metrics.hpp"

namespace outbox::cli {

class Endpoints {
 public:
  // Answers from now on. `relay` must outlive it, and need not be started.
  [[nodiscard]] static Result<std::unique_ptr<Endpoints>> Start(const config::Config& config,
                                                                const engine::Relay& relay,
                                                                std::shared_ptr<plugins::Store> store,
                                                                observe::Build build,
                                                                std::shared_ptr<spdlog::logger> logger);

  // From now on the tables are looked at.
  void BeginLooking();
  // False: a look hangs, and destroying would wait for it.
  [[nodiscard]] bool Stop(std::chrono::milliseconds timeout) { return !backlog_ || backlog_->Stop(timeout); }

 private:
  Endpoints(const config::Config& config, const engine::Relay& relay, std::shared_ptr<plugins::Store> store,
            observe::Build build, std::shared_ptr<spdlog::logger> logger);

  [[nodiscard]] http::Routes Routes() const;
  [[nodiscard]] engine::BacklogObservation Backlog() const;

  const config::Config& config_;
  const engine::Relay& relay_;
  const std::shared_ptr<plugins::Store> store_;
  const observe::Build build_;
  const std::shared_ptr<spdlog::logger> logger_;
  std::atomic<engine::BacklogReader*> looks_ = nullptr;  // backlog_, for the server's threads
  std::unique_ptr<engine::BacklogReader> backlog_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace outbox::cli
