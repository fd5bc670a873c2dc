// The publisher that sends events to Kafka with librdkafka.
//
// The key of a record is the aggregate_id, its value is the unchanged payload, and its headers are event_id, event_type
// and then the row's own headers. The publisher chooses the partition itself, in the same way as Java clients (murmur2
// of the key). So the engine knows which records share a partition, and can wait for the acknowledgement of the first
// record to each partition before it sends more records to that partition (docs/design/decisions/0007).
//
// Threads: the reader thread prepares events, and the engine thread hands records over. A thread of the publisher
// ("events") serves librdkafka's event queue (reports and errors) and performs resets. In addition, librdkafka has
// threads of its own.
#pragma once

#include <memory>

#include "kafka/settings.hpp"
#include "publisher/publisher.hpp"

namespace outbox::kafka {

// Makes a publisher without waiting for a broker. The publisher reports to the listener whether a broker answers.
// REQUIRES: the listener outlives the publisher. Errors: OUTBOX_BAD_CONFIG, with librdkafka's text, if librdkafka
// refuses a property.
[[nodiscard]] Result<std::unique_ptr<publisher::Publisher>> MakeKafkaPublisher(Settings settings,
                                                                               publisher::PublisherListener& listener,
                                                                               std::shared_ptr<spdlog::logger> logger);

// Returns a factory of publishers that are configured by /publisher and by the options of /relay that concern sending.
[[nodiscard]] publisher::PublisherFactory MakeKafkaPublishers(const config::Config& config,
                                                              std::shared_ptr<spdlog::logger> logger);

}  // namespace outbox::kafka
