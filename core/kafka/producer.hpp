// One life of librdkafka's producer, from making to destroying. A fatal error or a reset of the engine ends it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "kafka/rdkafka.hpp"
#include "kafka/settings.hpp"

namespace outbox::kafka {

class Producer {
 public:
  [[nodiscard]] static Result<std::shared_ptr<Producer>> Make(const Settings& settings, std::int64_t max_batch_bytes,
                                                              std::shared_ptr<spdlog::logger> logger);
  // Blocks until librdkafka's threads have ended; after that nothing reads payloads any more.
  ~Producer() = default;
  Producer(const Producer&) = delete;

  [[nodiscard]] rd_kafka_t* handle() const { return handle_.get(); }
  [[nodiscard]] std::int64_t max_batch_bytes() const { return max_batch_bytes_; }

  // [engine] The topic's handle, made at first use. `index` is the topic's number in the directory.
  [[nodiscard]] rd_kafka_topic_t* TopicOf(std::size_t index, const std::string& name);

  // [any] Keeps a topic's handle, so that librdkafka keeps what it knows of the topic.
  void KeepTopic(const std::string& name, TopicPtr topic);

  // [events] The next event, or nothing.
  [[nodiscard]] EventPtr NextEvent(std::chrono::milliseconds timeout);
  // [any] Ends a waiting NextEvent.
  void Wake() { rd_kafka_queue_yield(queue_.get()); }

  // [events] From now on no request is begun, what was not sent comes back as unknown, and requests on the wire go
  // on being answered. A purge alone would not do: a request that is refused retriably after the queue was purged
  // would be sent again, behind a hole.
  void StopSending();
  [[nodiscard]] bool stopped() const { return stopped_.load(std::memory_order_relaxed); }

  // Gives up everything, also what is on the wire. The reports come as events.
  void Purge();

  // Records handed over and not reported yet.
  std::atomic<std::int64_t> outstanding{0};

 private:
  Producer(std::int64_t max_batch_bytes, std::shared_ptr<spdlog::logger> logger)
      : max_batch_bytes_(max_batch_bytes), logger_(std::move(logger)) {}

  const std::int64_t max_batch_bytes_;
  const std::shared_ptr<spdlog::logger> logger_;  // librdkafka logs until its last thread has ended
  std::atomic<bool> stopped_{false};
  HandlePtr handle_;
  QueuePtr queue_;
  std::vector<TopicPtr> topics_;
  std::mutex kept_mutex_;
  std::unordered_map<std::string, TopicPtr> kept_;
};

}  // namespace outbox::kafka
