// Creates clients of librdkafka from a map of properties.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "outbox/consumer/settings.hpp"
#include "rdkafka.hpp"

namespace outbox::consumer {

using Properties = std::map<std::string, std::string>;

// Receives the callbacks of librdkafka. REQUIRES: the Client lives longer than the handle.
class Client {
 public:
  virtual ~Client() = default;
  // Receives a log line. Thread: any.
  virtual void Log(LogLevel level, std::string_view line) = 0;
  // Handles the assignment or revocation of partitions. Called only for consumers. Thread: the thread that polls the
  // handle.
  virtual void Rebalance(rd_kafka_t*, rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t*) {}
  // Handles the outcome of a sent record. Called only for producers. Thread: the thread that polls the handle.
  virtual void Delivered(const rd_kafka_message_t*) {}
};

// Creates a client. Errors: throws std::invalid_argument if librdkafka refuses a property; the text names the property
// but not its value.
[[nodiscard]] HandlePtr MakeHandle(rd_kafka_type_t type, const Properties& properties, Client& client);

}  // namespace outbox::consumer
