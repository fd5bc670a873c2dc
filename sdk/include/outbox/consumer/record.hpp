// The records that a handler receives, and the outcome that it returns.
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
// Bytes that may be absent. Absent differs from empty: no key is not the key "", and a tombstone is not an empty
// payload.
using Bytes = std::optional<std::string_view>;

// A record of Kafka with the event that it carries. Views: they are valid until the handler returns.
struct Record {
  std::string_view topic;
  std::int32_t partition = -1;
  std::int64_t offset = -1;
  // Kafka's timestamp of the record, in milliseconds since 1970 UTC; -1 = unknown.
  std::int64_t timestamp_ms = -1;
  // The aggregate_id of the row in the outbox.
  Bytes key;
  Bytes payload;
  // The id of the event, which is the same for every copy of the event.
  std::string_view event_id;
  // The type of the event, which determines the handler that is called.
  std::string_view event_type;
  // Number of the attempt to handle the record, from 1. Only attempts since the partition was assigned to this consumer
  // are counted.
  std::uint32_t attempt = 1;
  // An index below Settings::concurrency. Handlers that run at the same time have different indexes, so a handler can
  // use it to select one of several database connections.
  std::size_t slot = 0;

  // Returns the value of the first header with this name; absent if there is none, or if the header has no value.
  [[nodiscard]] Bytes Header(std::string_view name) const;

  // The message, which librdkafka owns. REQUIRES: the handler neither changes the message nor keeps a pointer to any
  // part of it.
  const rd_kafka_message_s* raw = nullptr;
};

// The outcome of handling a record, or all records of a batch.
class Outcome {
 public:
  enum class Kind : std::uint8_t { kOk, kRetry, kReject };

  // Returns the outcome of a record that was handled. The offset of the record may be committed.
  static Outcome Ok() { return {Kind::kOk, Millis(0), {}}; }
  // Returns the outcome of a record that is to be handled again after the time `after`; a negative time counts as 0.
  // Until then the partition of the record stands still, while other partitions continue.
  static Outcome Retry(Millis after) { return {Kind::kRetry, after, {}}; }
  // Returns the outcome of a record that can never be handled, for example because its payload cannot be decoded.
  // Settings::rejected determines what happens to it. The reason is logged and written to the dead letter, so it must
  // not quote the payload.
  static Outcome Reject(std::string reason) { return {Kind::kReject, Millis(0), std::move(reason)}; }

  [[nodiscard]] Kind kind() const { return kind_; }
  // Returns the pause before a retry; 0 unless kind() is kRetry.
  [[nodiscard]] Millis after() const { return after_; }
  // Returns the reason of a rejection; empty unless kind() is kReject.
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  Outcome(Kind kind, Millis after, std::string reason) : kind_(kind), after_(after), reason_(std::move(reason)) {}
  Kind kind_;
  Millis after_;
  std::string reason_;
};

}  // namespace outbox::consumer
