#include "view.hpp"

namespace outbox::consumer {
namespace {

Bytes View(const void* data, std::size_t size) {
  return data != nullptr ? Bytes(std::string_view(static_cast<const char*>(data), size)) : std::nullopt;
}

}  // namespace

bool Fill(const rd_kafka_message_t& message, Record& record) {
  record.topic = rd_kafka_topic_name(message.rkt);
  record.partition = message.partition;
  record.offset = message.offset;
  rd_kafka_timestamp_type_t kind{};
  record.timestamp_ms = rd_kafka_message_timestamp(&message, &kind);
  record.key = View(message.key, message.key_len);
  record.payload = View(message.payload, message.len);
  record.raw = &message;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
  Bytes id, type;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0; (!id || !type) && rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; ++i) {
    const std::string_view which(name);
    if (!id && which == "event_id") id = View(value, size);
    if (!type && which == "event_type") type = View(value, size);
  }
  record.event_id = id.value_or("");
  record.event_type = type.value_or("");
  return id && !id->empty() && type;
}

std::string Place(const Record& record) {
  return std::string(record.topic) + " [" + std::to_string(record.partition) + "] at " + std::to_string(record.offset);
}

Bytes Record::Header(std::string_view name) const {
  rd_kafka_headers_t* headers = nullptr;
  if (raw == nullptr || rd_kafka_message_headers(raw, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
  const char* found = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &found, &value, &size) == 0; ++i)
    if (name == found) return View(value, size);
  return std::nullopt;
}

}  // namespace outbox::consumer
