// The settings and counters of a consumer.
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

// The treatment of a record that no handler accepts. Each such record is counted, and logged with topic, partition and
// offset.
enum class Policy : std::uint8_t {
  // The consumer stops before the record, and Consumer::failure() returns the reason.
  kStop,
  // The record is skipped for good.
  kSkip,
  // The record is copied to Settings::dead_letter_topic, and skipped after Kafka has acknowledged the copy.
  kDeadLetter,
};

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };

// A partition of a topic.
struct TopicPartition {
  std::string topic;
  std::int32_t partition = -1;
  bool operator==(const TopicPartition&) const = default;
};

// The settings of a consumer.
struct Settings {
  // Properties of librdkafka. bootstrap.servers and group.id are required. Three properties have other defaults than in
  // librdkafka: auto.offset.reset=earliest, auto.commit.interval.ms=1000, and queued.max.messages.kbytes=8192. The last
  // one limits the data that is fetched ahead for each partition, and so the memory that a partition occupies while one
  // of its records is retried. enable.auto.commit and enable.auto.offset.store must not be set, because the consumer
  // sets them itself.
  std::map<std::string, std::string> kafka;
  // The topics to consume; at least one.
  std::vector<std::string> topics;

  // Number of handlers that may run at once, each for another partition; at least 1. With 1, handlers never run at once
  // and need no locks. With more, several threads may call one handler at once. The records of a partition are always
  // handled one after the other. Each call may run on a different thread.
  std::size_t concurrency = 1;
  // Largest number of records that a batch handler receives; all of them are of one partition. Records that have
  // arrived are passed on at once: the consumer does not wait for a batch to fill.
  std::size_t batch_size = 500;

  // The policy for records without event_id or event_type, which do not come from the relay.
  Policy missing_headers = Policy::kStop;
  // The policy for records whose event_type has no handler.
  Policy unknown_type = Policy::kStop;
  // The policy for records that a handler has rejected, or whose max_attempts are used up.
  Policy rejected = Policy::kStop;
  // The topic for dead letters, which must exist. It is required if one of the policies is kDeadLetter, and must be
  // empty if none is.
  std::string dead_letter_topic;

  // Largest number of attempts to handle a record; 0 = no limit.
  std::uint32_t max_attempts = 0;
  // The pause before the next attempt after a handler has thrown. It doubles with each attempt, up to
  // max_retry_backoff.
  Millis retry_backoff{200};
  Millis max_retry_backoff{30'000};

  // Name of a header with a whole number that the application increases by 1 with each event of a key, such as the
  // version of the aggregate; empty = none. See Counters::missing.
  std::string sequence_header;

  // `setup` is called before the first record of newly assigned partitions is handled; if it throws, the consumer
  // stops. `cleanup` is called after the last handler of revoked partitions has returned, and before their offsets are
  // committed; an exception that it throws is logged and has no other effect. Thread: the consumer's own thread, one
  // call at a time.
  std::function<void(std::span<const TopicPartition>)> setup;
  std::function<void(std::span<const TopicPartition>)> cleanup;

  // Receives log lines, which contain no key and no payload. Thread: any thread of the consumer or of librdkafka,
  // several at once. REQUIRES: it does not throw.
  std::function<void(LogLevel, std::string_view)> log;
};

// The counters of a consumer since it was constructed. Stopping and starting the consumer does not reset them.
struct Counters {
  std::uint64_t handled = 0;          // Records for which a handler returned Ok.
  std::uint64_t retried = 0;          // Calls of a handler that returned Retry or threw.
  std::uint64_t threw = 0;            // Calls of a handler that threw; `retried` includes them.
  std::uint64_t rejected = 0;         // Records that a handler rejected, or whose attempts were used up.
  std::uint64_t unknown_type = 0;     // Records whose event_type has no handler.
  std::uint64_t missing_headers = 0;  // Records without event_id or event_type.
  std::uint64_t skipped = 0;          // Records that were skipped because of a policy.
  std::uint64_t dead_lettered = 0;    // Records that were copied to the dead letter topic because of a policy.
  // The three counters below count only with Settings::sequence_header, and only for keys of which a number has been
  // received since the partition was assigned. `missing` counts numbers that were skipped.
  std::uint64_t missing = 0;
  // Missing numbers that arrived later, behind a higher one, which means that the order was broken.
  std::uint64_t late = 0;
  // Numbers that had already arrived before.
  std::uint64_t repeated = 0;
};

}  // namespace outbox::consumer
