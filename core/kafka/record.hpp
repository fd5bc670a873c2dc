// One event as a record of Kafka's: key = aggregate_id, value = payload, headers event_id, event_type, then the row's own; or
// what the configuration has made of the row.
#pragma once

#include <cstdint>
#include <string_view>

#include "kafka/rdkafka.hpp"
#include "publisher/publisher.hpp"

namespace outbox::kafka {

// Hands the record to librdkafka, which does not copy the payload: it must stay where it is until the report.
[[nodiscard]] rd_kafka_resp_err_t Produce(rd_kafka_t* handle, rd_kafka_topic_t* topic, std::int32_t partition,
                                          const publisher::RecordContent& record, void* opaque);

}  // namespace outbox::kafka
