// From the configuration to the publisher that it asks for.
#pragma once

#include <spdlog/fwd.h>

#include <memory>

#include "config/config.hpp"
#include "runtime/shard_runner.hpp"
#include "kafka/settings.hpp"
#include "publisher/headers.hpp"

namespace outbox::cli {

[[nodiscard]] publisher::HeaderValues HeaderValuesOf(const config::Config& config);
// Of /publisher and what belongs to it in /relay.
[[nodiscard]] kafka::Settings KafkaSettings(const config::Config& config);

[[nodiscard]] runtime::PublisherFactory MakePublishers(const config::Config& config,
                                                      std::shared_ptr<spdlog::logger> logger);

}  // namespace outbox::cli
