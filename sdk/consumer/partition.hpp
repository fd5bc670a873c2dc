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
  // Directs the records of the partition to a queue of their own. REQUIRES: the assignment has not been passed to
  // librdkafka yet; otherwise a record may get into another queue. Thread: the thread that polls the consumer.
  Partition(Context& context, TopicPartition partition);
  // Stops as Stop() does.
  ~Partition();
  Partition(const Partition&) = delete;
  Partition& operator=(const Partition&) = delete;

  [[nodiscard]] const TopicPartition& partition() const { return topic_partition_; }
  // Starts the thread that handles the records.
  void Start();
  // Asks the partition's thread to end after the current handler call, and returns without waiting for the thread.
  // Thread: any.
  void AskToStop();
  // Asks the partition's thread to end after the current handler call, and waits until it has ended.
  void Stop();

 private:
  // Thread: the functions below run on the partition's own thread.

  void Run();
  // Takes the records that have arrived, and waits for a short time if there are none. Returns their number.
  [[nodiscard]] std::size_t Fetch();
  // Handles the record at the index `at`, or a batch that begins with that record, including all retries. Returns how
  // many records were handled, rejected or skipped.
  std::size_t Settle(std::size_t at);
  std::size_t SettleBatch(std::size_t at, const std::shared_ptr<const Route>& route);
  bool SettleOne(Record& record, const Route& route);
  // Applies the policy to a record that no handler accepts. Returns false if the partition was stopped before the
  // policy could be applied.
  bool Refuse(const Record& record, Policy policy, const std::string& reason);
  // Waits for a slot and calls the handler. Sets `threw` to true if the handler throws.
  Outcome Call(std::span<Record> records, const Route& route, bool& threw);
  // Returns the pause after an attempt in which the handler threw. `attempt` is the number of that attempt, from 1.
  [[nodiscard]] Millis PauseAfter(std::uint32_t attempt) const;
  // Waits for `time`. Returns false if the partition was stopped meanwhile.
  bool Pause(Millis time);
  // Checks the sequence number of the record, if the settings name a header for it.
  void Watch(const Record& record);
  // Stores the offset that follows the record, so that it is committed next.
  void Store(const Record& record);

  Context& context_;
  const TopicPartition topic_partition_;
  QueuePtr queue_;
  Sequence sequence_;
  std::vector<MessagePtr> messages_;
  std::vector<Record> records_;
  std::vector<char> complete_;  // One entry for each record: 1 = the record has the headers that the relay writes.

  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace outbox::consumer
