// Makes the records that handlers receive from librdkafka's messages.
#pragma once

#include "outbox/consumer/record.hpp"
#include "rdkafka.hpp"

namespace outbox::consumer {

// Fills the record with views of the message. Returns false if the header event_id is missing or empty, or event_type
// is missing or has no value, so that the record does not come from the relay. The other fields are filled in any case.
[[nodiscard]] bool Fill(const rd_kafka_message_t& message, Record& record);

// Returns topic, partition and offset for messages: "orders [3] at 4711".
[[nodiscard]] std::string Place(const Record& record);

}  // namespace outbox::consumer
