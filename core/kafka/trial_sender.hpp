// The stream of trials: records that the broker may refuse, each in a request of its own.
//
// The producer of this stream is not idempotent, so that a refusal concerns only one record and needs no reset. The
// engine hands over one record of each key at a time, so a repeated request cannot break the order. The producer exists
// only while there are trials.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "kafka/logins.hpp"
#include "kafka/producer_disposal.hpp"
#include "kafka/topic_cache.hpp"
#include "publisher/publisher.hpp"

namespace outbox::kafka {

// Sends the trials. Owned by KafkaPublisher. Has a thread of its own, which starts with the first trial.
class TrialSender {
 public:
  TrialSender(const Settings& settings, TopicCache& topic_cache, ProducerDisposal& disposal,
              publisher::PublisherListener& listener, std::shared_ptr<spdlog::logger> logger);
  ~TrialSender() { Stop(); }
  TrialSender(const TrialSender&) = delete;

  // [engine] Carry out Publisher::Publish and Publisher::Reset for the trials.
  void Send(std::span<const publisher::Outgoing> records, std::uint32_t epoch);
  void Reset(std::uint32_t epoch);
  // Ends the thread and gives up the records in flight. REQUIRES: no other function is called afterwards.
  void Stop();

 private:
  struct Item {
    publisher::Outgoing record;
    std::uint32_t epoch;
  };

  void Start();
  void Run();
  void Begin(const Item& item);
  [[nodiscard]] rd_kafka_resp_err_t HandOver(const Item& item);
  [[nodiscard]] bool HasProducer();
  void AskForMetadata(std::uint32_t topic, rd_kafka_topic_t* handle);
  void Serve(std::chrono::milliseconds timeout);
  void TakeError(rd_kafka_event_t* event);
  void LoginWorked();
  // Gives up the producer if a new producer may be able to log in.
  void LogInAgain();
  void TakeReport(const rd_kafka_message_t& message);
  void Report(const Item& item, publisher::Outcome outcome, rd_kafka_resp_err_t error);
  void CarryOutReset(std::uint32_t epoch);
  void Retire();
  [[nodiscard]] bool Stopping() const;

  const Settings& settings_;
  TopicCache& topic_cache_;
  ProducerDisposal& disposal_;
  publisher::PublisherListener& listener_;
  const std::shared_ptr<spdlog::logger> logger_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Item> coming_;
  std::optional<std::uint32_t> reset_;
  bool stop_ = false;
  std::shared_ptr<Producer> producer_;  // changed only by thread_ and, after its end, by Stop()

  // Thread: only thread_ (all members down to login_logged_).
  std::unordered_map<std::uint32_t, Item> in_flight_;  // by event
  std::unordered_set<std::uint32_t> known_;            // the topics of which this producer has metadata
  Clock::time_point last_used_{};
  Clock::time_point next_metadata_{};  // after a query without an answer, no broker is queried before this time
  Logins logins_;
  const std::shared_ptr<ConnectGate> gate_;
  bool login_logged_ = false;  // true if a refused login was logged, and no login has worked since

  std::thread thread_;
};

}  // namespace outbox::kafka
