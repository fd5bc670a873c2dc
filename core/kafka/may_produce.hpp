// Finds out whether the user has permission to produce, by making a producer like those of the relay.
#pragma once

#include <spdlog/fwd.h>

#include <chrono>
#include <memory>
#include <string_view>

#include "kafka/settings.hpp"
#include "util/status.hpp"

namespace outbox::kafka {

inline constexpr std::string_view kMayNotProduce = "the relay's user lacks permission to produce";
inline constexpr std::string_view kGrantToProduce =
    "grant it IdempotentWrite on the cluster, and Write and Describe on its topics";

// True if librdkafka's statistics show that a broker has assigned a producer id.
[[nodiscard]] bool HasProducerId(std::string_view statistics);

// Makes a producer and waits until a broker has assigned a producer id. Errors: OUTBOX_BAD_CONFIG if librdkafka makes
// no producer from the settings; OUTBOX_REFUSED if the user lacks permission to produce (kGrantToProduce names the
// permission); OUTBOX_UNAVAILABLE for any other refusal, or if no id is assigned within `timeout`.
[[nodiscard]] Status TryToProduce(const Settings& settings, const std::shared_ptr<spdlog::logger>& logger,
                                  std::chrono::milliseconds timeout);

}  // namespace outbox::kafka
