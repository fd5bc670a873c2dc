// The publisher that sends events to Kafka with librdkafka.
//
// A record has the aggregate_id as its key, the unchanged payload as its value, and as headers event_id, event_type and
// then the row's own. The publisher chooses the partition itself, in the same way as Java clients (murmur2 of the key).
// So the engine knows which records share a partition, and can send the first record to each partition alone
// (docs/design/decisions/0007).
//
// Thread: the engine thread hands records over, and the reader thread prepares them. A thread of the publisher
// ("events") serves librdkafka's event queue (reports and errors) and carries out resets. librdkafka has threads of its
// own in addition.
#pragma once

#include <memory>

#include "kafka/settings.hpp"
#include "publisher/publisher.hpp"

namespace outbox::kafka {

// Makes a publisher without waiting for a broker: whether one answers is reported to the listener, which must outlive
// the publisher. Errors: OUTBOX_BAD_CONFIG, with librdkafka's text, if librdkafka refuses a property.
[[nodiscard]] Result<std::unique_ptr<publisher::Publisher>> MakeKafkaPublisher(Settings settings,
                                                                               publisher::PublisherListener& listener,
                                                                               std::shared_ptr<spdlog::logger> logger);

// Returns a factory of publishers that are configured by /publisher and by the options of /relay that concern sending.
[[nodiscard]] publisher::PublisherFactory MakeKafkaPublishers(const config::Config& config,
                                                              std::shared_ptr<spdlog::logger> logger);

}  // namespace outbox::kafka
