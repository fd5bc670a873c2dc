// A publisher that is connected to an embedded broker. All tests share one broker, because each command that starts it
// or takes it down may last a second. Each test has a topic of its own, which the broker creates on demand.
#pragma once

#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>

#include <algorithm>

#include "kafka/embedded_broker.hpp"
#include "kafka/kafka_publisher.hpp"
#include "tests/catch.hpp"
#include "tests/unit/prepared_batch.hpp"
#include "tests/unit/recording_listener.hpp"

namespace outbox::test {

struct KafkaFixture {
  KafkaFixture() {
    static const std::unique_ptr<kafka::EmbeddedBroker> shared = std::move(*kafka::EmbeddedBroker::Start({}));
    broker = shared.get();
    static int tests = 0;
    topic = "topic-" + std::to_string(++tests);
  }

  ~KafkaFixture() {
    if (trouble) {
      rd_kafka_mock_broker_set_up(broker->mock(), 1);
      rd_kafka_mock_broker_set_rtt(broker->mock(), 1, 0);
    }
  }
  void BrokerDown() {
    trouble = true;
    rd_kafka_mock_broker_set_down(broker->mock(), 1);
  }
  void BrokerSlow(int milliseconds) {
    trouble = true;
    rd_kafka_mock_broker_set_rtt(broker->mock(), 1, milliseconds);
  }

  bool trouble = false;
  kafka::EmbeddedBroker* broker = nullptr;
  std::string topic;
  static constexpr std::int32_t kPartitions = 4;
  RecordingListener listener;
  std::unique_ptr<publisher::Publisher> publisher;

  void Make(std::map<std::string, std::string> properties = {}) {
    properties.try_emplace("bootstrap.servers", broker->bootstrap());
    kafka::Settings settings;
    settings.properties = std::move(properties);
    auto made = kafka::MakeKafkaPublisher(settings, listener, spdlog::null_logger_mt(std::to_string(++loggers)));
    REQUIRE(made.ok());
    publisher = std::move(*made);
  }

  // Prepares a batch of `rows`, and repeats that until the topics of all rows are known. Returns the batch.
  publisher::PreparedBatch Prepare(std::vector<Row> rows) {
    for (bool drain_first = false;;) {
      const std::size_t known = listener.topics_known();
      publisher::PreparedBatch batch = MakeBatch(rows);
      // Prepare fails while none of the topics is known.
      if (publisher->Prepare(batch, Millis(10'000)).ok()) {
        batch.drain_first = drain_first = batch.drain_first || drain_first;
        REQUIRE(batch.events.size() == batch.batch.size());
        if (!AnyWaits(batch)) return batch;
      }
      REQUIRE(listener.WaitForTopics(known + 1));
    }
  }
  publisher::PreparedBatch PrepareOnce(std::vector<Row> rows) {
    publisher::PreparedBatch batch = MakeBatch(std::move(rows));
    const Status prepared = publisher->Prepare(batch, Millis(10'000));
    INFO(prepared.text());
    REQUIRE(prepared.ok());
    REQUIRE(batch.events.size() == batch.batch.size());
    return batch;
  }
  static bool AnyWaits(const publisher::PreparedBatch& batch) {
    return std::ranges::any_of(batch.events, [](const publisher::Prepared& event) { return event.waits; });
  }

  // Returns `count` rows of one key, whose payloads are the numbers from `first` on.
  std::vector<Row> Numbered(std::size_t count, std::size_t first = 0) const {
    std::vector<Row> rows(count, Row{topic});
    for (Row& row : rows) row.payload = std::to_string(first++);
    return rows;
  }

  // Proves a lane as the engine does: sends one event alone, and waits for a report with an offset.
  void Prove(std::uint32_t epoch) {
    const publisher::PreparedBatch batch = Prepare({Row{topic, "k", "proof"}});
    const std::size_t before = listener.reports().size();
    publisher->Publish(All(batch), epoch);
    REQUIRE(listener.WaitForReports(before + 1));
    REQUIRE(listener.reports()[before].outcome == publisher::Outcome::kAcknowledged);
  }

  void Reset(std::uint32_t epoch) {
    publisher->Reset(epoch);
    REQUIRE(listener.WaitForEpoch(epoch));
  }

  static inline int loggers = 0;
};

}  // namespace outbox::test
