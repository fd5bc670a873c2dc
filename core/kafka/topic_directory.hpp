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
#include "publish/publisher.hpp"

namespace outbox::kafka {

using Clock = std::chrono::steady_clock;

struct Topic {
  std::optional<publish::Refusal> refusal;             // nothing may be sent to it
  std::vector<publish::Lane> lanes;                    // by partition
  std::uint64_t max_bytes = 0;                         // of a record batch with one record in it
  Clock::time_point limit_until;                       // do not refuse by that limit later without asking again
  std::size_t next_partition = 0;                      // for records without a key
  Clock::time_point until = Clock::time_point::max();  // ask again from then on
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

// Why Kafka can have no topic of this name; nothing where it can.
[[nodiscard]] std::optional<std::string> BadTopicName(std::string_view name);

class TopicDirectory {
 public:
  using CurrentProducer = std::function<std::shared_ptr<Producer>()>;
  TopicDirectory(CurrentProducer producer, const Settings& settings, std::shared_ptr<spdlog::logger> logger);

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
  void Doubt(const std::string& name);

  [[nodiscard]] std::shared_ptr<const Lanes> lanes() const;  // [any]
  // [reader] Of all topics seen.
  [[nodiscard]] std::uint64_t smallest_limit() const { return smallest_limit_; }

 private:
  using Names = std::vector<std::string>;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };

  [[nodiscard]] Status Learn(Names names, Clock::time_point deadline, bool& moved);
  void RefreshAll(Clock::time_point now, bool& moved);
  [[nodiscard]] rd_kafka_resp_err_t Ask(const Names& names, std::chrono::milliseconds timeout, MetadataPtr& answer);
  // What the answer says of `name`; false = the topic may be being created at this moment.
  [[nodiscard]] bool Take(const rd_kafka_metadata_topic_t* said, const std::string& name, bool& moved);
  void SetPartitions(const std::string& name, std::size_t count, bool& moved);
  void Refuse(const std::string& name, publish::Refusal refusal);
  void AskLimits(const Names& names, std::chrono::milliseconds timeout);
  void TakeDoubts();
  void Forget(Clock::time_point now);
  // False = cancelled.
  [[nodiscard]] bool Pause(std::chrono::milliseconds time);

  const CurrentProducer producer_;
  const std::uint64_t user_limit_;  // message.max.bytes, 0 = none
  const std::chrono::milliseconds refresh_interval_;
  const std::shared_ptr<spdlog::logger> logger_;

  std::unordered_map<std::string, Topic, Hash, std::equal_to<>> topics_;
  std::int32_t broker_ = -1;  // whom to ask for limits
  std::uint64_t smallest_limit_ = ~std::uint64_t{0};
  Clock::time_point next_refresh_;

  mutable std::mutex mutex_;
  std::condition_variable cancel_;
  bool cancelled_ = false;
  std::vector<std::string> doubts_;
  std::shared_ptr<const Lanes> lanes_ = std::make_shared<Lanes>();
};

}  // namespace outbox::kafka
