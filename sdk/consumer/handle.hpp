// librdkafka clients from a map of properties.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "outbox/consumer/settings.hpp"
#include "rdkafka.hpp"

namespace outbox::consumer {

using Properties = std::map<std::string, std::string>;

// What librdkafka calls back. It must outlive the handle.
class Client {
 public:
  virtual ~Client() = default;
  virtual void Log(LogLevel level, std::string_view line) = 0;                                   // [any]
  virtual void Rebalance(rd_kafka_t*, rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t*) {}  // [who polls]
  virtual void Delivered(const rd_kafka_message_t*) {}                                           // [who polls]
};

// Throws std::invalid_argument for what librdkafka refuses, naming the property but not its value.
[[nodiscard]] HandlePtr MakeHandle(rd_kafka_type_t type, const Properties& properties, Client& client);

}  // namespace outbox::consumer
