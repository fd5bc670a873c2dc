// What the engine and a publisher tell each other about one record. No dependencies: the simulator uses them too.
#pragma once

#include <cstdint>
#include <limits>

namespace outbox::publisher {

// One (topic, partition): the unit of order at the broker. Numbered by the publisher from 0, densely, for as long as
// the publisher lives.
using Lane = std::uint32_t;

enum class Outcome : std::uint8_t {
  kAcknowledged,  // acknowledged by the broker with an offset
  kUnknown,       // no answer, purged, never sent, or acknowledged without an offset: may or may not be in the topic
  kRefused,       // the broker refuses this event or, in the main stream, another one of the same request
};

// Each shard has two streams of records. In the main one, records follow each other closely, and one that is refused ends
// the stream until a reset. In the stream of trials each record is a request of its own, and a refusal concerns nothing
// else (docs/design/decisions/0016). A record belongs to the trials if its epoch has this bit; each stream counts its own
// epochs.
inline constexpr std::uint32_t kTrialEpochs = std::uint32_t{1} << 31;
[[nodiscard]] constexpr bool IsTrial(std::uint32_t epoch) { return (epoch & kTrialEpochs) != 0; }

// For the event that ends every relay which sends it; no error of a broker's.
inline constexpr std::int32_t kEndsRelays = std::numeric_limits<std::int32_t>::min();

struct Report {
  std::uint32_t event;  // as given to Publish
  std::uint32_t epoch;
  Outcome outcome;
  std::int32_t error = 0;  // for Publisher::Explain
};

}  // namespace outbox::publisher
