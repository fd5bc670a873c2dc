// Handles the records of one partition, one after the other, on a thread of its own.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "context.hpp"
#include "rdkafka.hpp"
#include "sequence.hpp"

namespace outbox::consumer {

// A partition that is assigned to this consumer. The consumer owns it, from the assignment to the revocation.
class Partition {
 public:
  // Directs the records of the partition to a queue of their own. REQUIRES: the partition is not assigned to librdkafka
  // yet, so that no record gets into another queue. Thread: the one that polls the consumer.
  Partition(Context& context, TopicPartition partition);
  // Stops as Stop() does.
  ~Partition();
  Partition(const Partition&) = delete;
  Partition& operator=(const Partition&) = delete;

  [[nodiscard]] const TopicPartition& partition() const { return topic_partition_; }
  // Starts the thread.
  void Start();
  // Asks the thread to end once the current handler call returns, and does not wait for that. Thread: any.
  void AskToStop();
  // Asks the thread to end and waits for it, and so for the current handler call.
  void Stop();

 private:
  // Thread: the functions below run on the partition's own thread.

  void Run();
  // Takes the records that have arrived, and waits for a short time if there are none. Returns their number.
  [[nodiscard]] std::size_t Fetch();
  // Handles the record at the index `at`, or a batch that begins there, with all its retries. Returns how many records
  // were handled, rejected or skipped.
  std::size_t Settle(std::size_t at);
  std::size_t SettleBatch(std::size_t at, const std::shared_ptr<const Route>& route);
  bool SettleOne(Record& record, const Route& route);
  // Applies the policy to a record that no handler accepts. Returns false if the partition was stopped before that was
  // finished.
  bool Refuse(const Record& record, Policy policy, const std::string& reason);
  // Waits for a slot and calls the handler. Sets `threw` to true if the handler throws.
  Outcome Call(std::span<Record> records, const Route& route, bool& threw);
  // Returns the pause after this attempt if the handler threw.
  [[nodiscard]] Millis PauseAfter(std::uint32_t attempt) const;
  // Waits for `time`. Returns false if the partition was stopped meanwhile.
  bool Pause(Millis time);
  // Checks the sequence number of the record, if the settings name a header for it.
  void Watch(const Record& record);
  // Makes the offset after the record the next one to be committed.
  void Store(const Record& record);

  Context& context_;
  const TopicPartition topic_partition_;
  QueuePtr queue_;
  Sequence sequence_;
  std::vector<MessagePtr> messages_;
  std::vector<Record> records_;
  std::vector<char> complete_;  // For each record: 1 if it has the headers that the relay writes.

  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace outbox::consumer
