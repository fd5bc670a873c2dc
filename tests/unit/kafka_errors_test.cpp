// Tests how each answer of a broker is classified: as a failure of the event, as a failure of its topic, or as an
// outage. The expected results are those of the table in docs/design/reliability.md. The rule of that table is that an
// error is charged to an event only if the broker refuses the event with that error whatever the state of the broker
// is.
#include "kafka/errors.hpp"

#include <set>
#include <string>

#include "tests/catch.hpp"

namespace outbox::kafka {
namespace {

enum class Side : std::uint8_t { kEvent, kTopic, kOutage };

struct Case {
  rd_kafka_resp_err_t error;
  Side side;
  std::string reason;
};

// The error codes with which Kafka 3 and 4 answer Produce requests, in the order of their numbers.
const Case kBrokers[] = {
    {RD_KAFKA_RESP_ERR_UNKNOWN, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR_INVALID_MSG, Side::kEvent, "invalid_record"},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, Side::kTopic, "unknown_topic"},
    {RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE, Side::kTopic, "too_large"},
    {RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, Side::kTopic, "too_large"},
    {RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, Side::kTopic, "bad_topic"},
    {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, Side::kTopic, "too_large"},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, Side::kTopic, "forbidden_topic"},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, Side::kEvent, "invalid_record"},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR_INVALID_REQUEST, Side::kEvent, "invalid_record"},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT, Side::kEvent, "invalid_record"},
    {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, Side::kEvent, "policy_violation"},
    {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR_SECURITY_DISABLED, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE, Side::kEvent, "invalid_record"},
    {RD_KAFKA_RESP_ERR_INVALID_RECORD, Side::kEvent, "invalid_record"},
    {RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED, Side::kOutage, ""},
    // Codes that librdkafka does not know yet: UNKNOWN_TOPIC_ID, INCONSISTENT_TOPIC_ID and any later ones.
    {static_cast<rd_kafka_resp_err_t>(100), Side::kOutage, ""},
    {static_cast<rd_kafka_resp_err_t>(103), Side::kOutage, ""},
    {static_cast<rd_kafka_resp_err_t>(127), Side::kOutage, ""},
};

// Errors that librdkafka reports by itself.
const Case kLibrarys[] = {
    {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR__TIMED_OUT, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR__TRANSPORT, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR__SSL, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR__RESOLVE, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR__PURGE_QUEUE, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR__QUEUE_FULL, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR__FATAL, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE, Side::kOutage, ""},  // A record that the broker refuses has another code.
    {RD_KAFKA_RESP_ERR__INCONSISTENT, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR__DESTROY, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR__FAIL, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR__STATE, Side::kOutage, ""},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, Side::kTopic, "unknown_topic"},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, Side::kTopic, "unknown_topic"},
};

void Judge(const Case& c) {
  INFO(rd_kafka_err2name(c.error));
  CHECK(OutcomeOf(c.error) == (c.side == Side::kOutage ? publisher::Outcome::kUnknown : publisher::Outcome::kRefused));
  CHECK(IsAboutTopic(c.error) == (c.side == Side::kTopic));
  CHECK(IsTooLarge(c.error) == (c.reason == "too_large"));
  if (c.side == Side::kOutage) return;
  CHECK(ExplainError(c.error).reason == c.reason);
  CHECK(ExplainError(c.error).text.find(rd_kafka_err2name(c.error)) != std::string::npos);
}

TEST_CASE("each answer of a broker counts as a failure of the event, of its topic, or as an outage", "[b96]") {
  for (const Case& c : kBrokers) Judge(c);
  for (const Case& c : kLibrarys) Judge(c);
}

TEST_CASE("a code that the table does not name is an outage", "[b96]") {
  std::set<int> named;
  for (const Case& c : kBrokers) named.insert(c.error);
  for (const Case& c : kLibrarys) named.insert(c.error);
  for (int code = -250; code <= 250; ++code) {
    if (named.contains(code) || code == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    INFO(code);
    CHECK(OutcomeOf(static_cast<rd_kafka_resp_err_t>(code)) == publisher::Outcome::kUnknown);
  }
}

}  // namespace
}  // namespace outbox::kafka
