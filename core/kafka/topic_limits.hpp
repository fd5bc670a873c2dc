// Finds out the maximum size of a record in each topic.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kafka/rdkafka.hpp"
#include "publisher/publisher.hpp"

namespace outbox::kafka {

// The limit, in bytes, that is used for a topic whose limit cannot be queried (the user lacks DescribeConfigs, or the
// broker is old). Records up to this size are sent, and the broker decides whether to accept them. A request above the
// broker's socket.request.max.bytes, by default 100 MiB, would make the broker close the connection without an answer,
// and the event would be retried forever.
inline constexpr std::uint64_t kLimitWhereUnknown = (std::uint64_t{100} << 20) - 64 * 1024;

struct TopicLimits {
  std::map<std::string, std::uint64_t> known;  // max.message.bytes by topic
  std::vector<std::string> denied;             // topics whose configuration the user lacks permission to read
};

// Queries the limits from `broker`, which may be any broker. A topic may be missing in both members of the result.
[[nodiscard]] TopicLimits AskTopicLimits(rd_kafka_t* handle, std::int32_t broker,
                                         const std::vector<std::string>& topics, std::chrono::milliseconds timeout);

// Returns the size of a record batch that holds only this event, in bytes, without compression; see
// outbox::RecordBatchSize.
[[nodiscard]] std::uint64_t BatchBytes(const publisher::RecordContent& record);

}  // namespace outbox::kafka
