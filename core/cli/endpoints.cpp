#include "cli/endpoints.hpp"

#include <spdlog/logger.h>

#include "engine/clock.hpp"
#include "observe/judgement.hpp"
#include "observe/status_json.hpp"

namespace outbox::cli {

using engine::Now;
using engine::WallTime;

Result<std::unique_ptr<Endpoints>> Endpoints::Start(const config::Config& config, const engine::Relay& relay,
                                                    std::shared_ptr<plugins::Store> store, observe::Build build,
                                                    std::shared_ptr<spdlog::logger> logger) {
  std::unique_ptr<Endpoints> made(new Endpoints(config, relay, std::move(store), std::move(build), std::move(logger)));
  const std::string& listen = config.http.listen;
  auto server = http::Server::Start(listen, made->Routes());
  if (!server.ok()) return server.status();
  made->server_ = std::move(*server);
  made->logger_->info("http: /healthz, /readyz, /metrics and /status at {}:{}", listen.substr(0, listen.rfind(':')),
                      made->server_->port());
  return made;
}

Endpoints::Endpoints(const config::Config& config, const engine::Relay& relay, std::shared_ptr<plugins::Store> store,
                     observe::Build build, std::shared_ptr<spdlog::logger> logger)
    : config_(config), relay_(relay), store_(std::move(store)), build_(std::move(build)), logger_(std::move(logger)) {}

void Endpoints::BeginLooking() {
  backlog_ = std::make_unique<engine::BacklogReader>(relay_, store_, config_.http.refresh_interval,
                                                     config_.relay.storage_timeout, logger_);
  looks_ = backlog_.get();
}

engine::BacklogObservation Endpoints::Backlog() const {
  const engine::BacklogReader* looks = looks_;
  return looks == nullptr ? engine::BacklogObservation() : looks->Observe();
}

http::Routes Endpoints::Routes() const {
  const auto judged = [](const std::vector<observe::Reason>& reasons, const char* good) {
    return http::Reply{reasons.empty() ? 200 : 503, "text/plain; charset=utf-8", observe::Lines(reasons, good)};
  };
  return {
      {"/healthz", [this, judged] { return judged(observe::WhyNotHealthy(relay_.Observe()), "healthy"); }},
      {"/readyz", [this, judged] { return judged(observe::WhyNotReady(relay_.Observe(), Now()), "ready"); }},
      {"/metrics",
       [this] {
         return http::Reply{200, "text/plain; version=0.0.4; charset=utf-8",
                            observe::MetricsText(relay_.Observe(), Backlog(), build_, Now(), WallTime())};
       }},
      {"/status",
       [this] {
         return http::Reply{
             200, "application/json",
             observe::LiveStatusJson(relay_.Observe(), Backlog(), store_->HasLeases(), Now(), WallTime())};
       }},
  };
}

}  // namespace outbox::cli
