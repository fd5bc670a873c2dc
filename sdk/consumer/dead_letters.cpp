#include "dead_letters.hpp"

#include <chrono>
#include <optional>

#include "view.hpp"

namespace outbox::consumer {
namespace {

constexpr std::chrono::seconds kMaxWait{30};

// Returns true if only consumers have the property. A producer logs a warning if it is given such a property.
bool IsConsumers(const std::string& name) {
  for (const char* start :
       {"group.", "auto.", "fetch.", "queued.", "session.", "heartbeat.", "max.poll.", "partition.", "enable.auto.",
        "isolation.", "check.crcs", "enable.partition.eof", "topic.blacklist", "client.rack", "coordinator.",
        "max.partition.fetch.bytes", "consume.", "offset.", "receive.message.max.bytes"})
    if (name.starts_with(start)) return true;
  return false;
}

Properties ProducerProperties(const Settings& settings) {
  Properties properties;
  for (const auto& [name, value] : settings.kafka)
    if (!IsConsumers(name)) properties[name] = value;
  properties["acks"] = "all";
  properties["linger.ms"] = "0";
  properties["message.timeout.ms"] = std::to_string(std::chrono::milliseconds(kMaxWait).count());
  return properties;
}

}  // namespace

DeadLetters::DeadLetters(const Settings& settings)
    : settings_(settings), handle_(MakeHandle(RD_KAFKA_PRODUCER, ProducerProperties(settings), *this)) {}

DeadLetters::~DeadLetters() = default;

void DeadLetters::Log(LogLevel level, std::string_view line) {
  if (settings_.log) settings_.log(level, "dead letters: " + std::string(line));
}

void DeadLetters::Delivered(const rd_kafka_message_t* message) {
  *static_cast<std::optional<rd_kafka_resp_err_t>*>(message->_private) = message->err;
}

std::string DeadLetters::Send(const Record& record, const std::string& reason) {
  const std::scoped_lock lock(mutex_);
  rd_kafka_headers_t* own = nullptr;
  (void)rd_kafka_message_headers(record.raw, &own);
  HeadersPtr headers(own != nullptr ? rd_kafka_headers_copy(own) : rd_kafka_headers_new(8));
  const auto add = [&](const char* name, const std::string& value) {
    (void)rd_kafka_header_add(headers.get(), name, -1, value.data(), static_cast<ssize_t>(value.size()));
  };
  add("dead_letter_reason", reason);
  add("dead_letter_group", settings_.kafka.at("group.id"));
  add("dead_letter_topic", std::string(record.topic));
  add("dead_letter_partition", std::to_string(record.partition));
  add("dead_letter_offset", std::to_string(record.offset));

  std::optional<rd_kafka_resp_err_t> stored;
  const rd_kafka_message_t& from = *record.raw;
  const rd_kafka_resp_err_t sent = rd_kafka_producev(
      handle_.get(), RD_KAFKA_V_TOPIC(settings_.dead_letter_topic.c_str()), RD_KAFKA_V_KEY(from.key, from.key_len),
      RD_KAFKA_V_VALUE(from.payload, from.len), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
      RD_KAFKA_V_HEADERS(headers.get()), RD_KAFKA_V_OPAQUE(&stored), RD_KAFKA_V_END);
  if (sent != RD_KAFKA_RESP_ERR_NO_ERROR) return rd_kafka_err2str(sent);
  (void)headers.release();
  // The loop ends after message.timeout.ms at the latest, because by then librdkafka has reported the outcome of the
  // record.
  while (!stored) rd_kafka_poll(handle_.get(), 100);
  return *stored == RD_KAFKA_RESP_ERR_NO_ERROR ? "" : rd_kafka_err2str(*stored);
}

}  // namespace outbox::consumer
