// Reads records back from a topic, with all their bytes.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kafka/rdkafka.hpp"
#include "kafka/settings.hpp"

namespace outbox::test {

using MaybeText = std::optional<std::string>;

struct StoredRecord {
  std::int32_t partition = -1;
  std::int64_t offset = -1;
  MaybeText key, value;
  std::vector<std::pair<std::string, MaybeText>> headers;
};

inline StoredRecord ToRecord(rd_kafka_message_t* message) {
  const auto text = [](const void* data, std::size_t size) {
    return data != nullptr ? MaybeText(std::string(static_cast<const char*>(data), size)) : std::nullopt;
  };
  StoredRecord record{message->partition,
                      message->offset,
                      text(message->key, message->key_len),
                      text(message->payload, message->len),
                      {}};
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
         ++i) {
      record.headers.emplace_back(name, text(value, size));
    }
  }
  return record;
}

// Returns all records that are in the topic now, each partition's records in their order. If that takes more than 20
// s, returns the records that were read until then.
inline std::vector<StoredRecord> ReadTopic(const std::string& bootstrap, const std::string& topic,
                                           std::int32_t partitions) {
  auto conf = kafka::MakePlainConf({{"bootstrap.servers", bootstrap},
                                    {"group.id", "reader"},
                                    {"enable.auto.commit", "false"},
                                    {"fetch.wait.max.ms", "10"},
                                    {"log_level", "0"}});
  const auto consumer = kafka::MakeHandle(RD_KAFKA_CONSUMER, std::move(*conf));
  rd_kafka_poll_set_consumer(consumer->get());
  rd_kafka_topic_partition_list_t* const list = rd_kafka_topic_partition_list_new(partitions);
  std::int64_t count = 0;
  for (std::int32_t p = 0; p < partitions; ++p) {
    std::int64_t low = 0;
    std::int64_t high = 0;
    rd_kafka_query_watermark_offsets(consumer->get(), topic.c_str(), p, &low, &high, 20'000);
    count += high - low;
    rd_kafka_topic_partition_list_add(list, topic.c_str(), p)->offset = low;
  }
  rd_kafka_assign(consumer->get(), list);
  rd_kafka_topic_partition_list_destroy(list);

  std::vector<StoredRecord> records;
  for (const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
       std::ssize(records) < count && std::chrono::steady_clock::now() < end;) {
    rd_kafka_message_t* const message = rd_kafka_consumer_poll(consumer->get(), 200);
    if (message == nullptr) continue;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) records.push_back(ToRecord(message));
    rd_kafka_message_destroy(message);
  }
  rd_kafka_consumer_close(consumer->get());
  return records;
}

}  // namespace outbox::test
