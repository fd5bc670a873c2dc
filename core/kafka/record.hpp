// Sends one event as a Kafka record. The key of the record is the aggregate_id, its value is the payload, and its
// headers are event_id, event_type and then the row's own headers. If the configuration determines how records are made
// from rows, the record is made in that way.
#pragma once

#include <cstdint>
#include <string_view>

#include "kafka/rdkafka.hpp"
#include "publisher/publisher.hpp"

namespace outbox::kafka {

// Hands the record to librdkafka, which does not copy the payload. REQUIRES: the payload stays in its place until the
// report.
[[nodiscard]] rd_kafka_resp_err_t Produce(rd_kafka_t* handle, rd_kafka_topic_t* topic, std::int32_t partition,
                                          const publisher::RecordContent& record, void* opaque);

}  // namespace outbox::kafka
