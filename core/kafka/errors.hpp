// Interprets librdkafka's error codes.
#pragma once

#include "kafka/rdkafka.hpp"
#include "publisher/publisher.hpp"

namespace outbox::kafka {

// Returns kRefused only for errors that concern the event, its topic or the request that contained the event, and that
// would be the same in any state of the broker. Returns kUnknown for all other errors, including those that the relay
// does not know: they count as an outage, so no attempt is charged to the event.
[[nodiscard]] publisher::Outcome OutcomeOf(rd_kafka_resp_err_t error);

// Returns the reason that is stored in outbox_retry, a short word, and a text with the fix. Meant for errors for which
// OutcomeOf returns kRefused.
[[nodiscard]] publisher::Refusal ExplainError(rd_kafka_resp_err_t error);

// True if the error contradicts what the topic cache knows about the topic: that the topic exists, that the user may
// write to it, and its size limit.
[[nodiscard]] bool IsAboutTopic(rd_kafka_resp_err_t error);

// True if the record, or the request that contained it, has more bytes than the topic accepts.
[[nodiscard]] bool IsTooLarge(rd_kafka_resp_err_t error);

// Returns librdkafka's text and name, such as "Broker: Message size too large (MSG_SIZE_TOO_LARGE)".
[[nodiscard]] std::string ErrorText(rd_kafka_resp_err_t error);

}  // namespace outbox::kafka
