// One producer of librdkafka, from its creation to its destruction. A producer is no longer used after a fatal error or
// a reset by the engine.
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

// Owned by KafkaPublisher or TrialSender, and shared with threads that use the producer at the moment. A tag such as
// [engine] names the thread that may call a function. For a producer of trials, the thread of TrialSender takes the
// place of [engine] and [events].
class Producer {
 public:
  // Makes a producer for the main stream. `max_batch_bytes` is the maximum size of a request. `gate` admits the
  // producer's connections; nullptr = all connections are admitted. If `watched` is true, librdkafka's statistics
  // arrive as events, twice a second.
  [[nodiscard]] static Result<std::shared_ptr<Producer>> Make(const Settings& settings, std::int64_t max_batch_bytes,
                                                              std::shared_ptr<spdlog::logger> logger,
                                                              std::shared_ptr<ConnectGate> gate, bool watched = false);
  // Makes a producer that sends each record in a request of its own. If a record fails, the producer continues to send
  // other records (kafka/trial_sender.hpp).
  [[nodiscard]] static Result<std::shared_ptr<Producer>> MakeForTrials(const Settings& settings,
                                                                       std::shared_ptr<spdlog::logger> logger,
                                                                       std::shared_ptr<ConnectGate> gate);
  // Blocks until librdkafka's threads have ended. After that, no thread reads payloads any more.
  ~Producer() = default;
  Producer(const Producer&) = delete;

  [[nodiscard]] rd_kafka_t* handle() const { return handle_.get(); }
  [[nodiscard]] std::int64_t max_batch_bytes() const { return max_batch_bytes_; }

  // [engine] Returns the handle of a topic, which is made at first use. `index` is the index of the topic in
  // Lanes::topics.
  [[nodiscard]] rd_kafka_topic_t* TopicOf(std::size_t index, const std::string& name);

  // [any] Returns one of the handles that TopicOf has made, or nullptr if there is none yet.
  [[nodiscard]] rd_kafka_topic_t* AnyTopic() const { return any_topic_.load(); }

  // [any] Keeps the handle of a topic, so that librdkafka keeps the metadata of that topic.
  void KeepTopic(const std::string& name, TopicPtr topic);

  // [events] Waits for the next event and returns it; nullptr = there was none within `timeout`.
  [[nodiscard]] EventPtr NextEvent(std::chrono::milliseconds timeout);
  // [any] Ends a NextEvent that is waiting.
  void Wake() { rd_kafka_queue_yield(queue_.get()); }

  // [events] Stops sending: no further request begins. Records that were not sent are reported as unknown, and requests
  // on the wire are still answered. A purge of the queue is not enough: a request that is refused with a retriable
  // error after the purge would be sent again, after a gap.
  void StopSending();
  [[nodiscard]] bool stopped() const { return stopped_.load(std::memory_order_relaxed); }

  // [any] Gives up all records, including those on the wire. The reports of these records arrive as events.
  void Purge();

  [[nodiscard]] const CertificateTroubles& certificates() const { return voice_.certificates; }

  // The number of records that were handed over and not reported yet.
  std::atomic<std::int64_t> outstanding{0};
  // True once a record was handed over.
  std::atomic<bool> used{false};

 private:
  // The objects that librdkafka's callbacks use.
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
  Voice voice_;  // must outlive handle_, because librdkafka logs until its last thread has ended
  std::atomic<bool> stopped_{false};
  HandlePtr handle_;
  QueuePtr queue_;
  std::vector<TopicPtr> topics_;
  std::atomic<rd_kafka_topic_t*> any_topic_{nullptr};  // one of topics_, whose handles live as long as this producer
  std::mutex kept_mutex_;
  std::unordered_map<std::string, TopicPtr> kept_;
};

}  // namespace outbox::kafka
