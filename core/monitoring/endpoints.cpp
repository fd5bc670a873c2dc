#include "monitoring/endpoints.hpp"

#include "monitoring/readiness.hpp"
#include "monitoring/status_json.hpp"
#include "runtime/clock.hpp"
#include "util/log.hpp"

namespace outbox::monitoring {

using runtime::Now;
using runtime::WallTime;

Result<std::unique_ptr<Endpoints>> Endpoints::Start(const config::Config& config, const runtime::Relay& relay,
                                                    std::shared_ptr<storage::Store> store, Build build,
                                                    std::shared_ptr<spdlog::logger> logger) {
  std::unique_ptr<Endpoints> made(new Endpoints(config, relay, std::move(store), std::move(build), std::move(logger)));
  const std::string& listen = config.http.listen;
  auto server = HttpServer::Start(listen, made->Routes());
  if (!server.ok()) return server.status();
  made->server_ = std::move(*server);
  util::LogInfo(*made->logger_, "http: /healthz, /readyz, /metrics and /status at {}:{}",
                listen.substr(0, listen.rfind(':')), made->server_->port());
  return made;
}

Endpoints::Endpoints(const config::Config& config, const runtime::Relay& relay, std::shared_ptr<storage::Store> store,
                     Build build, std::shared_ptr<spdlog::logger> logger)
    : config_(config), relay_(relay), store_(std::move(store)), build_(std::move(build)), logger_(std::move(logger)) {}

void Endpoints::BeginLooking() {
  backlog_ = std::make_unique<runtime::BacklogReader>(relay_, store_, config_.http.refresh_interval,
                                                      config_.relay.storage_timeout, logger_);
  looks_ = backlog_.get();
}

runtime::BacklogObservation Endpoints::Backlog() const {
  const runtime::BacklogReader* looks = looks_;
  return looks == nullptr ? runtime::BacklogObservation() : looks->Observe();
}

HttpRoutes Endpoints::Routes() const {
  const auto judged = [](const std::vector<Reason>& reasons, const char* good) {
    return HttpReply{reasons.empty() ? 200 : 503, "text/plain; charset=utf-8", Lines(reasons, good)};
  };
  return {
      {"/healthz", [this, judged] { return judged(WhyNotHealthy(relay_.Observe()), "healthy"); }},
      {"/readyz", [this, judged] { return judged(WhyNotReady(relay_.Observe(), Now()), "ready"); }},
      {"/metrics",
       [this] {
         return HttpReply{200, "text/plain; version=0.0.4; charset=utf-8",
                          MetricsText(relay_.Observe(), Backlog(), build_, Now(), WallTime())};
       }},
      {"/status",
       [this] {
         return HttpReply{200, "application/json",
                          LiveStatusJson(relay_.Observe(), Backlog(), store_->HasLeases(), Now(), WallTime())};
       }},
  };
}

}  // namespace outbox::monitoring
