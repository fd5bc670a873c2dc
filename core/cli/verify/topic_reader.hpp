// Reads the records that are stored in topics, from a point in time to the current ends of the topics.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kafka/rdkafka.hpp"
#include "kafka/settings.hpp"
#include "util/status.hpp"

namespace outbox::cli {

// A record as it is stored in a topic, or as the relay would store it.
struct StoredRecord {
  std::string topic;
  std::int32_t partition = -1;  // Less than 0 if it is unknown.
  std::int64_t offset = -1;
  std::optional<std::string> key, value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  std::int64_t timestamp_ms = 0;  // Milliseconds since 1970; 0 if it is unknown or the time of sending.
};

// A consumer without a group. A command owns it. Thread: one at a time.
class TopicReader {
 public:
  // Makes a reader, which does not connect yet. Errors: OUTBOX_BAD_CONFIG with librdkafka's reason.
  [[nodiscard]] static Result<std::unique_ptr<TopicReader>> Open(kafka::Settings settings);

  // Reads `topics`, given with their numbers of partitions, from the first record that is not older than `since_ms`, in
  // milliseconds since 1970. Skips records of transactions that are not committed. Calls `found` for each record, in
  // the order of each partition, until `found` returns false. Errors: OUTBOX_UNAVAILABLE if a topic cannot be read, or
  // no record arrives for `patience`.
  [[nodiscard]] Status Read(const std::map<std::string, int>& topics, std::int64_t since_ms,
                            std::chrono::milliseconds patience, const std::function<bool(StoredRecord)>& found);

 private:
  explicit TopicReader(kafka::Settings settings) : settings_(std::move(settings)) {}
  [[nodiscard]] Status Assign(const std::map<std::string, int>& topics, std::int64_t since_ms,
                              std::chrono::milliseconds patience);

  const kafka::Settings settings_;
  kafka::HandlePtr handle_;
};

}  // namespace outbox::cli
