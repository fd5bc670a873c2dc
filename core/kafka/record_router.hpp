// Decides where each event of a batch goes, and refuses what Kafka would refuse, before anything is sent: a refusal by
// the broker stops the whole line.
#pragma once

#include <random>

#include "kafka/topic_cache.hpp"
#include "publisher/publisher.hpp"

namespace outbox::kafka {

// [reader]
class RecordRouter {
 public:
  RecordRouter(TopicCache& topic_cache, publisher::HeaderValues headers)
      : topic_cache_(topic_cache), headers_(headers), random_(std::random_device{}()) {}

  // Fills all of the batch but the events themselves. OUTBOX_UNAVAILABLE, OUTBOX_CANCELLED: as TopicCache::Look.
  [[nodiscard]] Status Prepare(publisher::PreparedBatch& batch, Clock::time_point deadline);

 private:
  void Judge(publisher::PreparedBatch& batch, std::size_t i, Topic* known);
  std::int32_t ChoosePartition(const Bytes& key, Topic& topic);

  TopicCache& topic_cache_;
  const publisher::HeaderValues headers_;
  std::mt19937 random_;
};

}  // namespace outbox::kafka
