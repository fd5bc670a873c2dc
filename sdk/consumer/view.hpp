// Converts librdkafka's messages to the records that handlers receive.
#pragma once

#include "outbox/consumer/record.hpp"
#include "rdkafka.hpp"

namespace outbox::consumer {

// Fills the record with views of the message. Returns false if the record does not come from the relay: the header
// event_id is missing or empty, or the header event_type is missing or has no value. All other fields are filled in
// either case.
[[nodiscard]] bool Fill(const rd_kafka_message_t& message, Record& record);

// Returns topic, partition and offset as text for log lines and errors: "orders [3] at 4711".
[[nodiscard]] std::string Place(const Record& record);

}  // namespace outbox::consumer
