#include "kafka/errors.hpp"

#include <array>
#include <string>
#include <string_view>

namespace outbox::kafka {
namespace {

struct Known {
  rd_kafka_resp_err_t error;
  const char* reason;
  const char* text;
  bool about_topic;
};

constexpr const char* kTooLarge = "larger than the broker or the topic accepts; raise the topic's max.message.bytes";
constexpr const char* kUnknownTopic = "the topic, or its partition, does not exist; create it";
constexpr const char* kInvalid =
    "the broker rejects the record as invalid for this topic; a compacted topic, for example, requires a key";

constexpr std::array kRefusals = {
    Known{RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "too_large", kTooLarge, true},
    Known{RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE, "too_large", kTooLarge, true},
    Known{RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, "too_large",
          "larger than the segments of the topic; raise its segment.bytes", true},
    Known{RD_KAFKA_RESP_ERR_INVALID_MSG, "invalid_record", "the broker found the record corrupt", false},
    Known{RD_KAFKA_RESP_ERR_INVALID_RECORD, "invalid_record", kInvalid, false},
    Known{RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, "invalid_record",
          "the broker refuses the record's timestamp; compare the clocks of the broker and of the relay (or of the "
          "database, if /record/timestamp names a column), and check the topic's message.timestamp limits",
          false},
    Known{RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT, "invalid_record",
          "the topic uses an old message format without headers", false},
    Known{RD_KAFKA_RESP_ERR_INVALID_REQUEST, "invalid_record",
          "the broker rejects the request as invalid for this topic; see the broker's log", false},
    Known{RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE, "invalid_record",
          "the broker does not support this compression", false},
    Known{RD_KAFKA_RESP_ERR_POLICY_VIOLATION, "policy_violation", "a policy of the broker forbids it", false},
    Known{RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "forbidden_topic",
          "the relay's user lacks permission to write to the topic; grant it Write and Describe", true},
    Known{RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, "bad_topic", "Kafka does not allow a topic of this name", true},
    Known{RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "unknown_topic", kUnknownTopic, true},
    Known{RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, "unknown_topic", kUnknownTopic, true},
    Known{RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, "unknown_topic", kUnknownTopic, true},
};

const Known* Find(rd_kafka_resp_err_t error) {
  for (const Known& known : kRefusals) {
    if (known.error == error) return &known;
  }
  return nullptr;
}

}  // namespace

publisher::Outcome OutcomeOf(rd_kafka_resp_err_t error) {
  return Find(error) != nullptr ? publisher::Outcome::kRefused : publisher::Outcome::kUnknown;
}

publisher::Refusal ExplainError(rd_kafka_resp_err_t error) {
  const Known* known = Find(error);
  if (known == nullptr) return {"refused", ErrorText(error)};
  return {known->reason, std::string(known->text) + ": " + ErrorText(error)};
}

bool IsAboutTopic(rd_kafka_resp_err_t error) {
  const Known* known = Find(error);
  return known != nullptr && known->about_topic;
}

bool IsTooLarge(rd_kafka_resp_err_t error) {
  const Known* known = Find(error);
  return known != nullptr && std::string_view(known->reason) == "too_large";
}

std::string ErrorText(rd_kafka_resp_err_t error) {
  return std::string(rd_kafka_err2str(error)) + " (" + rd_kafka_err2name(error) + ")";
}

}  // namespace outbox::kafka
