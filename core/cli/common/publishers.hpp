// Makes the publishers that the configuration asks for.
#pragma once

#include <spdlog/fwd.h>

#include <memory>

#include "config/config.hpp"
#include "publisher/publisher.hpp"

namespace outbox::cli {

// Returns a factory of publishers for Kafka or stdout, as /publisher/type says.
[[nodiscard]] publisher::PublisherFactory MakePublishers(const config::Config& config,
                                                         std::shared_ptr<spdlog::logger> logger);

}  // namespace outbox::cli
