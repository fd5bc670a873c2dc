// The consumer of the demo: reads the topics back from their beginning and judges what it has found.
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

// A record as a consumer sees it.
struct DemoRecord {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::string key, payload;
  std::vector<std::pair<std::string, std::string>> headers;
};

struct DemoVerdict {
  std::uint64_t delivered = 0;  // committed events that are in the topics
  std::uint64_t lost = 0;       // committed events that are not
  std::uint64_t twice = 0;      // records more than one per event
  std::uint64_t ghosts = 0;     // records of events that were rolled back
  std::uint64_t strangers = 0;  // records of events that the application never wrote
  std::uint64_t altered = 0;    // with another topic, key, payload or headers than was written
  std::uint64_t keys = 0;
  std::uint64_t keys_out_of_order = 0;

  [[nodiscard]] bool Holds() const { return lost + ghosts + strangers + altered + keys_out_of_order == 0; }
};

class DemoConsumer {
 public:
  struct Topic {
    std::string name;
    int partitions;
  };
  [[nodiscard]] static Result<std::unique_ptr<DemoConsumer>> Start(const std::string& bootstrap,
                                                                   std::vector<Topic> topics);
  ~DemoConsumer();

  [[nodiscard]] std::uint64_t read() const { return read_.load(); }  // any thread

  // Reads what is in the topics by now, and ends. False: it did not come in time.
  [[nodiscard]] bool Finish(std::chrono::milliseconds timeout);

  // After Finish.
  [[nodiscard]] DemoVerdict Judge(const std::vector<DemoEvent>& journal) const;
  // All records of one order, if there is one that has seen every step; else what there is of any.
  [[nodiscard]] std::vector<DemoRecord> OneOrder() const;

 private:
  explicit DemoConsumer(std::vector<Topic> topics) : topics_(std::move(topics)) {}
  void Run();
  [[nodiscard]] std::int64_t CountStored();

  const std::vector<Topic> topics_;
  kafka::HandlePtr consumer_;
  std::vector<DemoRecord> records_;  // of the thread, until it has ended
  std::atomic<std::uint64_t> read_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace outbox::cli
