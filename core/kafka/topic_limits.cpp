#include "kafka/topic_limits.hpp"

#include <array>
#include <charconv>
#include <cstring>
#include <span>

#include "publisher/headers.hpp"

namespace outbox::kafka {
namespace {

void TakeLimit(const rd_kafka_ConfigResource_t* resource, TopicLimits& limits) {
  const auto error = rd_kafka_ConfigResource_error(resource);
  if (error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED || error == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED)
    limits.denied.emplace_back(rd_kafka_ConfigResource_name(resource));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  std::size_t count = 0;
  const rd_kafka_ConfigEntry_t** const entries = rd_kafka_ConfigResource_configs(resource, &count);
  for (const rd_kafka_ConfigEntry_t* entry : std::span(entries, count)) {
    const char* const value = rd_kafka_ConfigEntry_value(entry);
    if (value == nullptr || std::strcmp(rd_kafka_ConfigEntry_name(entry), "max.message.bytes") != 0) continue;
    std::uint64_t limit = 0;
    if (std::from_chars(value, value + std::strlen(value), limit).ec == std::errc()) {
      limits.known[rd_kafka_ConfigResource_name(resource)] = limit;
    }
  }
}

}  // namespace

TopicLimits AskTopicLimits(rd_kafka_t* handle, std::int32_t broker, const std::vector<std::string>& topics,
                           std::chrono::milliseconds timeout) {
  TopicLimits limits;
  const int wait = static_cast<int>(timeout.count());
  std::vector<ResourcePtr> resources;
  std::vector<rd_kafka_ConfigResource_t*> raw;
  for (const std::string& topic : topics) {
    resources.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
    raw.push_back(resources.back().get());
  }
  const OptionsPtr options(rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS));
  std::array<char, 256> text{};
  // Without set_broker the request would go to the controller, to which the client would need one more connection.
  if (wait == 0 ||
      rd_kafka_AdminOptions_set_request_timeout(options.get(), wait, text.data(), text.size()) !=
          RD_KAFKA_RESP_ERR_NO_ERROR ||
      rd_kafka_AdminOptions_set_broker(options.get(), broker, text.data(), text.size()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return limits;
  }
  const QueuePtr queue(rd_kafka_queue_new(handle));
  rd_kafka_DescribeConfigs(handle, raw.data(), raw.size(), options.get(), queue.get());
  const EventPtr event(rd_kafka_queue_poll(queue.get(), wait));
  if (event == nullptr) return limits;
  const rd_kafka_DescribeConfigs_result_t* const result = rd_kafka_event_DescribeConfigs_result(event.get());
  if (result == nullptr) return limits;
  std::size_t count = 0;
  const rd_kafka_ConfigResource_t** const said = rd_kafka_DescribeConfigs_result_resources(result, &count);
  for (const rd_kafka_ConfigResource_t* resource : std::span(said, count)) TakeLimit(resource, limits);
  return limits;
}

std::uint64_t BatchBytes(const publisher::RecordContent& record) {
  const Event& event = record.event;
  publisher::HeaderReader own(record.packed_headers);
  RecordBatchSize size(event.aggregate_id, event.payload, (record.relay_headers ? 2 : 0) + own.count());
  if (record.relay_headers) {
    size.AddHeader(kEventIdHeader, event.event_id);
    size.AddHeader(kEventTypeHeader, event.event_type);
  }
  for (publisher::Header h; own.Next(h);) size.AddHeader(h.name, h.value);
  return size.bytes();
}

}  // namespace outbox::kafka
