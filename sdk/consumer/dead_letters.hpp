// The topic for records that no handler can take.
#pragma once

#include <mutex>
#include <string>

#include "handle.hpp"
#include "outbox/consumer/settings.hpp"

namespace outbox::consumer {

// Copies keep key, payload and headers, and get dead_letter_reason, dead_letter_group, dead_letter_topic,
// dead_letter_partition and dead_letter_offset.
class Admin final : public Client {
 public:
  // Throws std::invalid_argument.
  explicit Admin(const Settings& settings);
  ~Admin() override;
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;

  // [any] Waits until Kafka has stored the copy; otherwise why it has not, after kLongest at most.
  [[nodiscard]] std::string Bury(const Record& record, const std::string& reason);

 private:
  void Log(LogLevel level, std::string_view line) override;
  void Delivered(const rd_kafka_message_t* message) override;

  const Settings& settings_;
  std::mutex mutex_;  // one at a time: they are rare, and each is waited for
  HandlePtr handle_;
};

}  // namespace outbox::consumer
