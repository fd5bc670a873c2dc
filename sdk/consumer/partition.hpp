// One partition at work: a thread that takes the records of its partition one after the other.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "context.hpp"
#include "rdkafka.hpp"
#include "sequence.hpp"

namespace outbox::consumer {

class Partition {
 public:
  // [who polls] Before the assignment, so that the records of the partition wait in a queue of their own.
  Partition(Context& context, TopicPartition partition);
  ~Partition();  // as Stop
  Partition(const Partition&) = delete;
  Partition& operator=(const Partition&) = delete;

  [[nodiscard]] const TopicPartition& partition() const { return topic_partition_; }
  void Start();
  void AskToStop();  // [any]
  void Stop();       // waits for a handler that runs

 private:
  // [its own thread]
  void Run();
  [[nodiscard]] std::size_t Fetch();
  // Settles the record at `at`, or a batch that begins there; returns how many are settled.
  std::size_t Settle(std::size_t at);
  std::size_t SettleBatch(std::size_t at, const std::shared_ptr<const Route>& route);
  bool SettleOne(Record& record, const Route& route);
  // False = it was asked to stop before the record was settled.
  bool Refuse(const Record& record, Policy policy, const std::string& reason);
  Outcome Call(std::span<Record> records, const Route& route, bool& threw);
  [[nodiscard]] Millis PauseAfter(std::uint32_t attempt) const;
  bool Pause(Millis time);
  void Watch(const Record& record);
  void Store(const Record& record);

  Context& context_;
  const TopicPartition topic_partition_;
  QueuePtr queue_;
  Sequence sequence_;
  std::vector<MessagePtr> messages_;
  std::vector<Record> records_;
  std::vector<char> complete_;  // by record: has what the relay writes

  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace outbox::consumer
