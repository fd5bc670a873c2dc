// May this user produce? Asked with the producer that the relay makes.
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

// librdkafka's statistics: has the broker given it a producer id?
[[nodiscard]] bool HasProducerId(std::string_view statistics);

// Waits until a broker has given a producer id. OUTBOX_BAD_CONFIG: librdkafka makes no producer of the settings;
// OUTBOX_REFUSED: the user lacks the permission, see kGrantToProduce; OUTBOX_UNAVAILABLE: another refusal, or none in time.
[[nodiscard]] Status TryToProduce(const Settings& settings, const std::shared_ptr<spdlog::logger>& logger,
                                  std::chrono::milliseconds timeout);

}  // namespace outbox::kafka
