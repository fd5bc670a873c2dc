// The publisher's report to the engine about one record. This header has no dependencies, because the simulator uses it
// too.
#pragma once

#include <cstdint>
#include <limits>

namespace outbox::publisher {

// The number of a lane: a partition of a topic, which is the unit of order at the broker. The publisher numbers lanes
// from 0 without gaps. A number is valid for the life of the publisher.
using Lane = std::uint32_t;

// The outcome of a record that was passed to the publisher.
enum class Outcome : std::uint8_t {
  // The broker has acknowledged the record with an offset.
  kAcknowledged,
  // No answer arrived, the record was purged or never sent, or it was acknowledged without an offset: the record may or
  // may not be in the topic.
  kUnknown,
  // The broker has refused this event or, in the main stream, another event of the same request.
  kRefused,
};

// Each shard has two streams of records. In the main stream records closely follow each other, many in one request, and
// a refused record stops the stream until a reset. In the stream of trials each record is sent in a request of its own,
// and a refusal concerns only that record (docs/design/decisions/0016). Each stream counts its own epochs. This bit is
// set in the epochs of the trials only.
inline constexpr std::uint32_t kTrialEpochs = std::uint32_t{1} << 31;
[[nodiscard]] constexpr bool IsTrial(std::uint32_t epoch) { return (epoch & kTrialEpochs) != 0; }

// The error code of an event that fails because it crashes every relay that sends it (a poison event). The broker never
// reports this code.
inline constexpr std::int32_t kEndsRelays = std::numeric_limits<std::int32_t>::min();

struct Report {
  std::uint32_t event;  // Outgoing::event of the record.
  std::uint32_t epoch;
  Outcome outcome;
  std::int32_t error = 0;  // With kRefused: the argument for Publisher::Explain().
};

}  // namespace outbox::publisher
