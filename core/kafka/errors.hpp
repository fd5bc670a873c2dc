// What librdkafka's error codes mean to the relay.
#pragma once

#include "kafka/rdkafka.hpp"
#include "publisher/publisher.hpp"

namespace outbox::kafka {

// kRefused only for what no state of the broker will fix: the event, its topic or the request it travelled in.
// Everything else, also what is not known here, is an outage: nothing is counted against the event.
[[nodiscard]] publisher::Outcome OutcomeOf(rd_kafka_resp_err_t error);

// For a code that is kRefused: a short word for outbox_retry, and a sentence.
[[nodiscard]] publisher::Refusal ExplainError(rd_kafka_resp_err_t error);

// Is what the relay believes about the topic (there, allowed, its limit) in doubt after this?
[[nodiscard]] bool IsAboutTopic(rd_kafka_resp_err_t error);

// The record, or the request that it travelled in, has more bytes than the topic takes.
[[nodiscard]] bool IsTooLarge(rd_kafka_resp_err_t error);

// "Broker: Message size too large (MSG_SIZE_TOO_LARGE)"
[[nodiscard]] std::string ErrorText(rd_kafka_resp_err_t error);

}  // namespace outbox::kafka
