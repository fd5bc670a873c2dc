// From the configuration to the publisher that it asks for.
#pragma once

#include <spdlog/fwd.h>

#include <memory>

#include "config/config.hpp"
#include "publisher/publisher.hpp"

namespace outbox::cli {

[[nodiscard]] publisher::PublisherFactory MakePublishers(const config::Config& config,
                                                         std::shared_ptr<spdlog::logger> logger);

}  // namespace outbox::cli
