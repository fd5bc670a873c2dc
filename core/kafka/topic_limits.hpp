// How large a record may be.
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

// Where a topic's limit cannot be had (no right to DescribeConfigs, an old broker) the broker judges, but not above
// this: past its socket.request.max.bytes, 100 MiB unless changed, it closes the connection without a word, and the
// event would be tried for ever.
inline constexpr std::uint64_t kLimitWhereUnknown = (std::uint64_t{100} << 20) - 64 * 1024;

struct TopicLimits {
  std::map<std::string, std::uint64_t> known;  // max.message.bytes by topic
  std::vector<std::string> denied;             // the user may not read their configuration
};

// Any broker knows. A topic may be in neither list.
[[nodiscard]] TopicLimits AskTopicLimits(rd_kafka_t* handle, std::int32_t broker,
                                         const std::vector<std::string>& topics, std::chrono::milliseconds timeout);

// The size of a record batch that holds only this event, in bytes, without compression: see outbox::RecordBatchSize.
[[nodiscard]] std::uint64_t BatchBytes(const publisher::RecordContent& record);

}  // namespace outbox::kafka
