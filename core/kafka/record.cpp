#include "kafka/record.hpp"

#include "publisher/headers.hpp"

namespace outbox::kafka {

rd_kafka_resp_err_t Produce(rd_kafka_t* handle, rd_kafka_topic_t* topic, std::int32_t partition,
                            const publisher::RecordContent& record, void* opaque) {
  if (topic == nullptr) return rd_kafka_last_error();
  const Event& event = record.event;
  publisher::HeaderReader own(record.packed_headers);
  HeadersPtr headers(rd_kafka_headers_new(2 + own.count()));
  const auto add = [&headers](std::string_view name, const Bytes& value) {
    const outbox_bytes raw = Raw(value);
    rd_kafka_header_add(headers.get(), name.data(), static_cast<ssize_t>(name.size()), raw.data,
                        static_cast<ssize_t>(raw.size));
  };
  if (record.relay_headers) {
    add(kEventIdHeader, event.event_id);
    add(kEventTypeHeader, event.event_type);
  }
  for (publisher::Header h; own.Next(h);) add(h.name, h.value);

  const outbox_bytes key = Raw(event.aggregate_id);
  const outbox_bytes value = Raw(event.payload);
  // Without a copy flag librdkafka reads the payload in the batch's arena until the report. rd_kafka_produceva is not
  // used, because before 2.12 it frees the headers twice if it fails.
  const rd_kafka_resp_err_t error = rd_kafka_producev(
      handle, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_KEY(key.data, key.size),
      RD_KAFKA_V_VALUE(const_cast<void*>(value.data), value.size), RD_KAFKA_V_TIMESTAMP(record.timestamp_ms),
      RD_KAFKA_V_HEADERS(headers.get()), RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) static_cast<void>(headers.release());
  return error;
}

}  // namespace outbox::kafka
