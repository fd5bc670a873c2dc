// The publisher on librdkafka.
//
// Record: key = aggregate_id, value = payload as it is, headers event_id, event_type, then the row's own. The
// partition is chosen here, as Java clients choose it (murmur2 of the key), so that the engine knows which records
// share one and may let the first of each fly alone (docs/design/decisions/0007).
//
// Threads: the engine's hands records over, the reader's prepares them, and one of its own serves librdkafka's event
// queue: reports, errors, resets. librdkafka has threads of its own besides.
#pragma once

#include <memory>

#include "kafka/settings.hpp"
#include "publisher/publisher.hpp"

namespace outbox::kafka {

// Does no waiting: whether a broker answers is told through the listener, which must outlive the publisher.
// OUTBOX_BAD_CONFIG for properties that librdkafka refuses, in its words.
[[nodiscard]] Result<std::unique_ptr<publisher::Publisher>> MakeKafkaPublisher(Settings settings,
                                                                               publisher::PublisherListener& listener,
                                                                               std::shared_ptr<spdlog::logger> logger);

// Makes publishers from /publisher and what belongs to it in /relay.
[[nodiscard]] publisher::PublisherFactory MakeKafkaPublishers(const config::Config& config,
                                                              std::shared_ptr<spdlog::logger> logger);

}  // namespace outbox::kafka
