// Chooses the partition of each event of a batch, and refuses the events that Kafka would refuse. Events are refused
// before anything is sent, because a refusal by the broker stops the whole stream.
#pragma once

#include <random>

#include "kafka/topic_cache.hpp"
#include "publisher/publisher.hpp"

namespace outbox::kafka {

// Owned by KafkaPublisher. Thread: reader
class RecordRouter {
 public:
  RecordRouter(TopicCache& topic_cache, publisher::HeaderValues headers)
      : topic_cache_(topic_cache), headers_(headers), random_(std::random_device{}()) {}

  // Fills in all members of the batch except the events themselves. If no broker answers until `deadline`, the listener
  // of the topic cache is called. Errors: those of TopicCache::Look.
  [[nodiscard]] Status Prepare(publisher::PreparedBatch& batch, Clock::time_point deadline);

 private:
  void Judge(publisher::PreparedBatch& batch, std::size_t i, Topic* known);
  std::int32_t ChoosePartition(const Bytes& key, Topic& topic);

  TopicCache& topic_cache_;
  const publisher::HeaderValues headers_;
  std::mt19937 random_;
};

}  // namespace outbox::kafka
