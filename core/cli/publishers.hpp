// From the configuration to the publisher that it asks for.
#pragma once

#include <spdlog/fwd.h>

#include <memory>

#include "config/config.hpp"
#include "engine/shard_runner.hpp"
#include "kafka/settings.hpp"
#include "publish/headers.hpp"

namespace outbox::cli {

[[nodiscard]] publish::HeaderValues HeaderValuesOf(const config::Config& config);
// Of /publisher and what belongs to it in /relay.
[[nodiscard]] kafka::Settings KafkaSettings(const config::Config& config);

[[nodiscard]] engine::PublisherFactory MakePublishers(const config::Config& config,
                                                      std::shared_ptr<spdlog::logger> logger);

}  // namespace outbox::cli
