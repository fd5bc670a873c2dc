// The consumer of the demo: reads the topics from their beginning and compares the records with the events that were
// written.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cli/demo/application.hpp"
#include "kafka/rdkafka.hpp"
#include "util/status.hpp"

namespace outbox::cli {

// A record as a consumer receives it.
struct DemoRecord {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::string key, payload;
  std::vector<std::pair<std::string, std::string>> headers;
};

// The result of the comparison.
struct DemoVerdict {
  std::uint64_t delivered = 0;  // Committed events that are in the topics.
  std::uint64_t lost = 0;       // Committed events that are not in the topics.
  std::uint64_t twice = 0;      // Duplicates: further records of an event that already has a record in its topic.
  std::uint64_t ghosts = 0;     // Records of events that were rolled back.
  std::uint64_t strangers = 0;  // Records of events that the application never wrote.
  std::uint64_t altered = 0;    // Records that differ from their event in topic, key, payload or headers.
  std::uint64_t keys = 0;
  std::uint64_t keys_out_of_order = 0;

  [[nodiscard]] bool Holds() const { return lost + ghosts + strangers + altered + keys_out_of_order == 0; }
};

// Reads all partitions on a thread of its own, without joining a consumer group. The demo owns the consumer.
class DemoConsumer {
 public:
  struct Topic {
    std::string name;
    int partitions;
  };
  [[nodiscard]] static Result<std::unique_ptr<DemoConsumer>> Start(const std::string& bootstrap,
                                                                   std::vector<Topic> topics);
  ~DemoConsumer();

  // Returns the number of records read so far. Thread: any.
  [[nodiscard]] std::uint64_t read() const { return read_.load(); }

  // Reads to the current ends of the topics and stops the thread. Returns false if that took longer than `timeout`.
  [[nodiscard]] bool Finish(std::chrono::milliseconds timeout);

  // Compares the records with the events in `journal`. REQUIRES: Finish has returned.
  [[nodiscard]] DemoVerdict Judge(const std::vector<DemoEvent>& journal) const;
  // Returns the records of the order with the most records, sorted by topic. REQUIRES: Finish has returned.
  [[nodiscard]] std::vector<DemoRecord> OneOrder() const;

 private:
  explicit DemoConsumer(std::vector<Topic> topics) : topics_(std::move(topics)) {}
  void Run();
  [[nodiscard]] std::int64_t CountStored();

  const std::vector<Topic> topics_;
  kafka::HandlePtr consumer_;
  std::vector<DemoRecord> records_;  // Until thread_ has ended, only thread_ uses the records.
  std::atomic<std::uint64_t> read_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace outbox::cli
