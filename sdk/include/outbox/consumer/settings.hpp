// How a consumer is to behave.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "record.hpp"

namespace outbox::consumer {

// What becomes of a record that no handler can take. Each is counted and told with topic, partition and offset.
enum class Policy : std::uint8_t {
  kStop,        // the consumer stops in front of it, and Consumer::failure() says so
  kSkip,        // it is passed over, for good
  kDeadLetter,  // it is copied to Settings::dead_letter_topic and passed over when Kafka has stored the copy
};

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };

// A partition that this consumer was assigned.
struct TopicPartition {
  std::string topic;
  std::int32_t partition = -1;
  bool operator==(const TopicPartition&) const = default;
};

struct Settings {
  // librdkafka's properties. bootstrap.servers and group.id are required. Unless given: auto.offset.reset=earliest,
  // auto.commit.interval.ms=1000, and queued.max.messages.kbytes=8192, which bounds what is read ahead of each partition
  // and with it what one that is retried holds in memory. enable.auto.commit and enable.auto.offset.store are the
  // consumer's own.
  std::map<std::string, std::string> kafka;
  std::vector<std::string> topics;

  // Handlers that may run at once, each for a partition of its own. With 1 they never do, and need no locks; with more,
  // one handler must expect to be called by several threads at once. A partition's records come one after the other in
  // any case. Each call may come from another thread.
  std::size_t concurrency = 1;
  // The most records that a batch handler is given, all of one partition. What has arrived is handed over at once;
  // nothing waits for a batch to fill.
  std::size_t batch_size = 500;

  Policy missing_headers = Policy::kStop;  // no event_id or no event_type: not from the relay
  Policy unknown_type = Policy::kStop;     // no handler for its event_type
  Policy rejected = Policy::kStop;         // a handler said Reject, or max_attempts are used up
  std::string dead_letter_topic;           // required by kDeadLetter; must be there

  std::uint32_t max_attempts = 0;  // of one record; 0 = no end
  // After a handler that threw, doubled with each attempt.
  Millis retry_backoff{200};
  Millis max_retry_backoff{30'000};

  // A header that holds a whole number which the application raises by 1 with each event of a key, such as the version
  // of the aggregate; empty = none. See Counters::missing.
  std::string sequence_header;

  // Called from the consumer's own thread, never two at once. `setup` before the first record of new partitions is handed
  // over; if it throws, the consumer stops. `cleanup` when the last handler of the partitions has returned and before their
  // offsets are committed. What it throws is told and changes nothing.
  std::function<void(std::span<const TopicPartition>)> setup;
  std::function<void(std::span<const TopicPartition>)> cleanup;

  // Called from any of the consumer's threads and librdkafka's, also at once; must not throw. Lines hold no key and no
  // payload.
  std::function<void(LogLevel, std::string_view)> log;
};

// Since the consumer was made; stopping and starting goes on counting.
struct Counters {
  std::uint64_t handled = 0;   // records that a handler answered with Ok
  std::uint64_t retried = 0;   // answers Retry, and handlers that threw
  std::uint64_t threw = 0;     // of these, handlers that threw
  std::uint64_t rejected = 0;  // records answered with Reject, or out of attempts
  std::uint64_t unknown_type = 0;
  std::uint64_t missing_headers = 0;
  std::uint64_t skipped = 0;        // by a policy
  std::uint64_t dead_lettered = 0;  // by a policy
  // With sequence_header, of keys of which a number was seen since the partition was assigned:
  std::uint64_t missing = 0;   // numbers that were passed over
  std::uint64_t late = 0;      // of these, came after a later one: the order was broken
  std::uint64_t repeated = 0;  // numbers that came again
};

}  // namespace outbox::consumer
