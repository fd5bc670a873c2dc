// From the configuration to the publisher that it asks for.
#pragma once

#include <spdlog/fwd.h>

#include <memory>

#include "config/config.hpp"
#include "engine/shard_runner.hpp"

namespace outbox::cli {

[[nodiscard]] engine::PublisherFactory MakePublishers(const config::Config& config,
                                                      std::shared_ptr<spdlog::logger> logger);

}  // namespace outbox::cli
