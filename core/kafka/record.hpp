// Sends one event as a Kafka record. By default, the key of the record is the aggregate_id, its value is the payload,
// and its headers are event_id, event_type and then the row's own headers. The record section of the configuration may
// determine other keys, values and headers.
#pragma once

#include <cstdint>
#include <string_view>

#include "kafka/rdkafka.hpp"
#include "publisher/publisher.hpp"

namespace outbox::kafka {

// Hands the record to librdkafka, which does not copy the payload and returns `opaque` with the report. REQUIRES: the
// payload is neither moved nor freed until the record is reported.
[[nodiscard]] rd_kafka_resp_err_t Produce(rd_kafka_t* handle, rd_kafka_topic_t* topic, std::int32_t partition,
                                          const publisher::RecordContent& record, void* opaque);

}  // namespace outbox::kafka
