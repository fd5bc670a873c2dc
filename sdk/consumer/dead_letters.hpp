// Writes records that no handler accepts to the dead letter topic.
#pragma once

#include <mutex>
#include <string>

#include "handle.hpp"
#include "outbox/consumer/settings.hpp"

namespace outbox::consumer {

// Copies records to the dead letter topic. A running consumer owns it. A copy has the key, payload and headers of its
// record, and in addition the headers dead_letter_reason, dead_letter_group, dead_letter_topic, dead_letter_partition
// and dead_letter_offset.
class DeadLetters final : public Client {
 public:
  // Errors: throws std::invalid_argument if librdkafka refuses a property.
  explicit DeadLetters(const Settings& settings);
  ~DeadLetters() override;
  DeadLetters(const DeadLetters&) = delete;
  DeadLetters& operator=(const DeadLetters&) = delete;

  // Copies the record and waits until Kafka has acknowledged the copy, for at most kMaxWait (30 s). Returns an empty
  // text after success, otherwise the reason for the failure. Thread: any.
  [[nodiscard]] std::string Send(const Record& record, const std::string& reason);

 private:
  void Log(LogLevel level, std::string_view line) override;
  void Delivered(const rd_kafka_message_t* message) override;

  const Settings& settings_;
  // Held by Send(): copies are made one at a time, which is fast enough because dead letters are rare.
  std::mutex mutex_;
  HandlePtr handle_;
};

}  // namespace outbox::consumer
