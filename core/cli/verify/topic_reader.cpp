#include "cli/verify/topic_reader.hpp"

#include <random>

namespace outbox::cli {
namespace {

using Clock = std::chrono::steady_clock;
using kafka::MessagePtr;
using kafka::PartitionsPtr;

constexpr int kPollMs = 100;

std::optional<std::string> Bytes(const void* data, std::size_t size) {
  if (data == nullptr) return std::nullopt;
  return std::string(static_cast<const char*>(data), size);
}

StoredRecord ToRecord(rd_kafka_message_t* message) {
  StoredRecord record;
  record.topic = rd_kafka_topic_name(message->rkt);
  record.partition = message->partition;
  record.offset = message->offset;
  record.key = Bytes(message->key, message->key_len);
  record.value = Bytes(message->payload, message->len);
  rd_kafka_timestamp_type_t kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const std::int64_t time = rd_kafka_message_timestamp(message, &kind);
  if (kind == RD_KAFKA_TIMESTAMP_CREATE_TIME) record.timestamp_ms = time;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return record;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i)
    record.headers.emplace_back(name, Bytes(value, size));
  return record;
}

}  // namespace

Result<std::unique_ptr<TopicReader>> TopicReader::Open(kafka::Settings settings) {
  settings.properties["allow.auto.create.topics"] = "false";
  settings.properties["enable.auto.commit"] = "false";
  settings.properties["enable.partition.eof"] = "true";
  settings.properties["isolation.level"] = "read_committed";
  // The reader joins no group, but librdkafka requires the name of one.
  settings.properties["group.id"] = "outbox-relay-verify-" + std::to_string(std::random_device{}());
  std::unique_ptr<TopicReader> reader(new TopicReader(std::move(settings)));
  auto conf = kafka::MakePlainConf(reader->settings_.properties);
  if (!conf.ok()) return Status(conf.status().code(), reader->settings_.Clean(conf.status().text()));
  rd_kafka_conf_set_log_cb(conf->get(), [](const rd_kafka_t*, int, const char*, const char*) {});
  auto handle = kafka::MakeHandle(RD_KAFKA_CONSUMER, std::move(*conf));
  if (!handle.ok()) return Status(handle.status().code(), reader->settings_.Clean(handle.status().text()));
  reader->handle_ = std::move(*handle);
  rd_kafka_poll_set_consumer(reader->handle_.get());
  return reader;
}

// Assigns all partitions, each from its first record that is not older than `since_ms`, in milliseconds since 1970.
Status TopicReader::Assign(const std::map<std::string, int>& topics, std::int64_t since_ms,
                           std::chrono::milliseconds patience) {
  const PartitionsPtr all(rd_kafka_topic_partition_list_new(16));
  for (const auto& [topic, partitions] : topics)
    for (std::int32_t p = 0; p < partitions; ++p)
      rd_kafka_topic_partition_list_add(all.get(), topic.c_str(), p)->offset = since_ms;
  const auto error = rd_kafka_offsets_for_times(handle_.get(), all.get(), static_cast<int>(patience.count()));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
    return {OUTBOX_UNAVAILABLE,
            std::string("cannot look up the offsets of the time at which to begin: ") + rd_kafka_err2str(error)};
  rd_kafka_assign(handle_.get(), all.get());
  return {};
}

Status TopicReader::Read(const std::map<std::string, int>& topics, std::int64_t since_ms,
                         std::chrono::milliseconds patience, const std::function<bool(StoredRecord)>& found) {
  std::size_t open = 0;
  for (const auto& [topic, partitions] : topics) open += static_cast<std::size_t>(partitions);
  if (open == 0) return {};
  if (Status assigned = Assign(topics, since_ms, patience); !assigned.ok()) return assigned;
  auto last = Clock::now();
  while (open > 0) {
    const MessagePtr message(rd_kafka_consumer_poll(handle_.get(), kPollMs));
    if (message == nullptr) {
      if (Clock::now() - last < patience) continue;
      return {OUTBOX_UNAVAILABLE, "Kafka stopped sending records before the ends of the topics were reached"};
    }
    last = Clock::now();
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
      --open;
    else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
      return {OUTBOX_UNAVAILABLE, std::string("a topic cannot be read: ") + rd_kafka_message_errstr(message.get())};
    else if (!found(ToRecord(message.get())))
      break;
  }
  rd_kafka_assign(handle_.get(), nullptr);
  return {};
}

}  // namespace outbox::cli
