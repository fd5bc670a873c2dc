// What a handler is given, and what it answers.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

struct rd_kafka_message_s;

namespace outbox::consumer {

using Millis = std::chrono::milliseconds;
// Absent and empty are two things: no key is not the key "", a tombstone is not an empty payload.
using Bytes = std::optional<std::string_view>;

// Views: good until the handler returns.
struct Record {
  std::string_view topic;
  std::int32_t partition = -1;
  std::int64_t offset = -1;
  std::int64_t timestamp_ms = -1;  // since 1970 UTC, as Kafka has it; -1 = unknown
  Bytes key;                       // the row's aggregate_id
  Bytes payload;
  std::string_view event_id;    // the same for every copy of an event
  std::string_view event_type;  // what the handler was chosen by
  std::uint32_t attempt = 1;    // of this consumer since it was assigned the partition
  // Below Settings::concurrency, and never the same in two handlers that run at once: for a connection per slot.
  std::size_t slot = 0;

  // The first header of this name; absent also where the header is there without a value.
  [[nodiscard]] Bytes Header(std::string_view name) const;

  const rd_kafka_message_s* raw = nullptr;  // librdkafka's; nothing of it may be changed or kept
};

// What has become of a record, or of all records of a batch.
class Outcome {
 public:
  enum class Kind : std::uint8_t { kOk, kRetry, kReject };

  // Done. Its offset may be committed.
  static Outcome Ok() { return {Kind::kOk, Millis(0), {}}; }
  // Hand it over again, not before `after`; negative counts as 0. Its partition stands still until then, others do not.
  static Outcome Retry(Millis after) { return {Kind::kRetry, after, {}}; }
  // It can never be handled, such as a payload that cannot be decoded: Settings::rejected says what then. The reason
  // goes to the log and the dead letter, so it must not quote the payload.
  static Outcome Reject(std::string reason) { return {Kind::kReject, Millis(0), std::move(reason)}; }

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] Millis after() const { return after_; }
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  Outcome(Kind kind, Millis after, std::string reason) : kind_(kind), after_(after), reason_(std::move(reason)) {}
  Kind kind_;
  Millis after_;
  std::string reason_;
};

}  // namespace outbox::consumer
