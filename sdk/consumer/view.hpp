// Records as handlers see them, out of librdkafka's messages.
#pragma once

#include "outbox/consumer/record.hpp"
#include "rdkafka.hpp"

namespace outbox::consumer {

// False = not the relay's: event_id or event_type is missing or has no value. All else is filled in any case.
[[nodiscard]] bool Fill(const rd_kafka_message_t& message, Record& record);

// "orders [3] at 4711", for people.
[[nodiscard]] std::string Place(const Record& record);

}  // namespace outbox::consumer
