// What is known of the topics that rows name: is it there, may we write, how many partitions, how large a record.
//
// It lives longer than any producer and asks the broker through the one that is current: no connection of its own,
// and what the answer tells librdkafka is there when the first record of the topic is handed over.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kafka/producer.hpp"
#include "publisher/publisher.hpp"

namespace outbox::kafka {

using Clock = std::chrono::steady_clock;

// INVARIANT: one whose `until` lies ahead has a refusal or lanes. A new one has neither, and is asked for by whoever needs it:
// the look that made it may have ended before the broker's answer.
struct Topic {
  std::optional<publisher::Refusal> refusal;  // nothing may be sent to it
  std::vector<publisher::Lane> lanes;         // by partition
  std::uint64_t max_bytes = 0;                // of a record batch with one record in it
  std::uint64_t refused_bytes = 0;            // such a batch was refused as too large; 0 = none was
  Clock::time_point limit_until;              // do not refuse by that limit later without asking again
  std::size_t next_partition = 0;             // for records without a key
  Clock::time_point until;                    // ask again from then on
  Clock::time_point used;                     // when an event last named it
  Clock::time_point next_creation;            // do not ask the broker to create it before
};

// Where lanes lead to. Grows only; a copy of the pointers is a consistent view for the engine's thread.
struct Lanes {
  struct Target {
    std::uint32_t topic;
    std::int32_t partition;
  };
  std::vector<Target> targets;
  std::vector<std::string> topics;
};

class TopicCache {
 public:
  using CurrentProducer = std::function<std::shared_ptr<Producer>()>;
  TopicCache(CurrentProducer producer, const Settings& settings, std::shared_ptr<spdlog::logger> logger);

  // [reader] Finds each of the names, in their order; pointers stay good until the next call. `moved`: a topic has
  // another number of partitions than when it was last looked at. OUTBOX_UNAVAILABLE, OUTBOX_CANCELLED.
  [[nodiscard]] Status Look(std::span<const std::string_view> names, Clock::time_point deadline,
                            std::vector<Topic*>& found, bool& moved);
  // [reader] The limit of a topic of the last Look, as it is now: for whom the known one, which may be minutes old, is too
  // small.
  [[nodiscard]] std::uint64_t FreshLimit(std::string_view name, Topic& topic, Clock::time_point deadline);
  // [any]
  void Cancel();
  // [any] The broker has said something that does not fit what is known of the topic: ask again.
  void Invalidate(const std::string& name);

  // [any] A record batch of this size, with one record in it, was refused by the topic as too large, or was stored.
  void NoteSize(const std::string& name, std::uint64_t bytes, bool stored);

  [[nodiscard]] std::shared_ptr<const Lanes> lanes() const;  // [any]
  // [reader] Of all topics seen.
  [[nodiscard]] std::uint64_t smallest_limit() const { return smallest_limit_; }

 private:
  using Names = std::vector<std::string>;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };

  // What brokers have said of topics by name; nullptr = the answer has nothing of it.
  struct Answers {
    std::vector<MetadataPtr> raw;
    std::unordered_map<std::string, const rd_kafka_metadata_topic_t*> said;
  };

  [[nodiscard]] Status Learn(Names names, Clock::time_point deadline);
  [[nodiscard]] bool IsMissing(const std::string& name) const;  // when it was last looked for
  void RefreshAll(Clock::time_point now);
  // Asks for as many of the names as there is time for; an error if for none.
  [[nodiscard]] rd_kafka_resp_err_t Ask(const Names& names, std::chrono::milliseconds timeout, Answers& answers);
  void AskForCreations(const Names& names, std::chrono::milliseconds timeout);
  // What the answer says of `name`; false = the topic may be being created at this moment.
  [[nodiscard]] bool Take(const rd_kafka_metadata_topic_t* said, const std::string& name);
  void SetPartitions(const std::string& name, std::size_t count);
  void Refuse(const std::string& name, publisher::Refusal refusal);
  void AskLimits(const Names& names, std::chrono::milliseconds timeout);
  void TakeInvalidated();
  void Forget(Clock::time_point now);
  // False = cancelled.
  [[nodiscard]] bool Pause(std::chrono::milliseconds time);

  struct Size {
    std::string topic;
    std::uint64_t bytes;
    bool stored;
  };

  const CurrentProducer producer_;
  const Settings& settings_;
  const std::uint64_t user_limit_;  // message.max.bytes, 0 = none
  const std::chrono::milliseconds refresh_interval_;
  const std::shared_ptr<spdlog::logger> logger_;

  std::unordered_map<std::string, Topic, Hash, std::equal_to<>> topics_;
  std::int32_t broker_ = -1;  // whom to ask for limits
  std::uint64_t smallest_limit_ = ~std::uint64_t{0};
  Clock::time_point next_refresh_;
  // [reader] Partitions were added, and no call has said so yet: one that fails for another topic must not lose it.
  bool moved_ = false;
  bool warned_of_limits_ = false;

  mutable std::mutex mutex_;
  std::condition_variable cancel_;
  bool cancelled_ = false;
  std::vector<std::string> invalidated_;
  std::vector<Size> sizes_;
  std::shared_ptr<const Lanes> lanes_ = std::make_shared<Lanes>();
};

}  // namespace outbox::kafka
