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

#include "kafka/certificates.hpp"
#include "kafka/connect_gate.hpp"
#include "kafka/rdkafka.hpp"
#include "kafka/settings.hpp"

namespace outbox::kafka {

class Producer {
 public:
  // `gate` admits its connections; nullptr = all. `watched`: its statistics come as events, twice a second.
  [[nodiscard]] static Result<std::shared_ptr<Producer>> Make(const Settings& settings, std::int64_t max_batch_bytes,
                                                              std::shared_ptr<spdlog::logger> logger,
                                                              std::shared_ptr<ConnectGate> gate, bool watched = false);
  // One that sends each record in a request of its own, and none of whose failures stops another (kafka/trial_sender.hpp).
  [[nodiscard]] static Result<std::shared_ptr<Producer>> MakeForTrials(const Settings& settings,
                                                                       std::shared_ptr<spdlog::logger> logger,
                                                                       std::shared_ptr<ConnectGate> gate);
  // Blocks until librdkafka's threads have ended; after that nothing reads payloads any more.
  ~Producer() = default;
  Producer(const Producer&) = delete;

  [[nodiscard]] rd_kafka_t* handle() const { return handle_.get(); }
  [[nodiscard]] std::int64_t max_batch_bytes() const { return max_batch_bytes_; }

  // [engine] The topic's handle, made at first use. `index` is the topic's number in the topic_cache.
  [[nodiscard]] rd_kafka_topic_t* TopicOf(std::size_t index, const std::string& name);

  // [any] One of the topics that it has a handle of, or nullptr.
  [[nodiscard]] rd_kafka_topic_t* AnyTopic() const { return any_topic_.load(); }

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

  [[nodiscard]] const CertificateTroubles& certificates() const { return voice_.certificates; }

  // Records handed over and not reported yet.
  std::atomic<std::int64_t> outstanding{0};
  // A record was handed over.
  std::atomic<bool> used{false};

 private:
  // What librdkafka's callbacks are given.
  struct Voice {
    const std::shared_ptr<spdlog::logger> logger;
    const std::function<std::string(std::string_view)> clean;
    const std::shared_ptr<ConnectGate> gate;
    CertificateTroubles certificates;
  };
  static CertificateTroubles& Troubles(void* voice) { return static_cast<Voice*>(voice)->certificates; }

  [[nodiscard]] static Result<std::shared_ptr<Producer>> MakeFrom(const Settings& settings, ConfPtr conf,
                                                                  std::int64_t max_batch_bytes,
                                                                  std::shared_ptr<spdlog::logger> logger,
                                                                  std::shared_ptr<ConnectGate> gate, bool watched);
  Producer(std::int64_t max_batch_bytes, std::shared_ptr<spdlog::logger> logger,
           std::function<std::string(std::string_view)> clean, std::shared_ptr<ConnectGate> gate)
      : max_batch_bytes_(max_batch_bytes), voice_{std::move(logger), std::move(clean), std::move(gate), {}} {}

  const std::int64_t max_batch_bytes_;
  Voice voice_;  // librdkafka logs until its last thread has ended
  std::atomic<bool> stopped_{false};
  HandlePtr handle_;
  QueuePtr queue_;
  std::vector<TopicPtr> topics_;
  std::atomic<rd_kafka_topic_t*> any_topic_{nullptr};  // its handle lives as long as this producer
  std::mutex kept_mutex_;
  std::unordered_map<std::string, TopicPtr> kept_;
};

}  // namespace outbox::kafka
