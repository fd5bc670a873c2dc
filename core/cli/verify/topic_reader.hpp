// Reads what is stored in topics, from a moment to their ends as they are now.
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

// A record as it is stored, or as it would be.
struct StoredRecord {
  std::string topic;
  std::int32_t partition = -1;  // < 0 = not known
  std::int64_t offset = -1;
  std::optional<std::string> key, value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  std::int64_t timestamp_ms = 0;  // 0 = not known, or when it was sent
};

class TopicReader {
 public:
  // Does not connect yet. OUTBOX_BAD_CONFIG: librdkafka's reason.
  [[nodiscard]] static Result<std::unique_ptr<TopicReader>> Open(kafka::Settings settings);

  // `topics` with their numbers of partitions. Of transactions only what is committed. `found` is called in the order of each
  // partition, and answers false = enough. OUTBOX_UNAVAILABLE where nothing comes for `patience`.
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
