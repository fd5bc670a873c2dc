// Runs consumers against the broker that OUTBOX_TEST_KAFKA names. The broker has to create missing topics
// automatically, with 4 partitions. Each test has a topic and a group of its own.
#pragma once

#include <librdkafka/rdkafka.h>
#include <unistd.h>
#include <outbox/consumer.hpp>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <utility>

#include "tests/catch.hpp"

namespace outbox::testing {

using consumer::Consumer;
using consumer::Counters;
using consumer::Millis;
using consumer::Outcome;
using consumer::Policy;
using consumer::Record;
using consumer::Settings;
using consumer::TopicPartition;

inline std::string Bootstrap() {
  const char* const broker = std::getenv("OUTBOX_TEST_KAFKA");
  if (broker == nullptr) throw std::runtime_error("OUTBOX_TEST_KAFKA is not set: run on_a_server.py");
  return broker;
}

template <class Condition>
void Eventually(Condition condition, const char* what) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) FAIL("not within 30 s: " << what);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

// A record to be sent. If `by_the_relay` is true, the record gets the headers that the relay adds, event_id and
// event_type, before the application's headers.
struct Sent {
  std::string payload;
  std::int32_t partition = 0;
  std::string type = "Placed";
  std::string key = "k";
  std::vector<std::pair<std::string, std::string>> headers = {};
  bool by_the_relay = true;
};

class Producer {
 public:
  Producer() {
    rd_kafka_conf_t* const conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", Bootstrap().c_str(), nullptr, 0);
    rd_kafka_conf_set(conf, "enable.idempotence", "true", nullptr, 0);
    handle_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, nullptr, 0);
  }
  ~Producer() { rd_kafka_destroy(handle_); }
  Producer(const Producer&) = delete;

  void Send(const std::string& topic, const std::vector<Sent>& records) {
    for (const Sent& record : records) {
      rd_kafka_headers_t* const headers = rd_kafka_headers_new(8);
      const auto add = [&](const std::string& name, const std::string& value) {
        rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                            static_cast<ssize_t>(value.size()));
      };
      if (record.by_the_relay) {
        add("event_id", "id-" + std::to_string(++ids_));
        add("event_type", record.type);
      }
      for (const auto& [name, value] : record.headers) add(name, value);
      REQUIRE(rd_kafka_producev(handle_, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(record.partition),
                                RD_KAFKA_V_KEY(record.key.data(), record.key.size()),
                                RD_KAFKA_V_VALUE(const_cast<char*>(record.payload.data()), record.payload.size()),
                                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers),
                                RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    REQUIRE(rd_kafka_flush(handle_, 30'000) == RD_KAFKA_RESP_ERR_NO_ERROR);
  }

 private:
  rd_kafka_t* handle_;
  int ids_ = 0;
};

// A list of lines to which several threads may add: the handled records, or the log.
class Notes {
 public:
  void Add(const std::string& line) {
    const std::scoped_lock lock(mutex_);
    lines_.push_back(line);
  }
  [[nodiscard]] std::vector<std::string> all() const {
    const std::scoped_lock lock(mutex_);
    return lines_;
  }
  [[nodiscard]] std::size_t size() const { return all().size(); }
  [[nodiscard]] bool Has(const std::string& part) const {
    for (const std::string& line : all())
      if (line.find(part) != std::string::npos) return true;
    return false;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

struct Rig {
  Rig() {
    static std::atomic<int> tests = 0;
    const std::string name = std::to_string(getpid()) + "-" + std::to_string(++tests);
    topic = "topic-" + name;
    settings.kafka = {{"bootstrap.servers", Bootstrap()},
                      {"group.id", "group-" + name},
                      {"fetch.wait.max.ms", "20"},
                      {"heartbeat.interval.ms", "100"},
                      {"allow.auto.create.topics", "true"}};
    settings.topics = {topic};
    settings.log = [this](consumer::LogLevel, std::string_view line) { log.Add(std::string(line)); };
  }
  void Send(const std::vector<Sent>& records) { producer.Send(topic, records); }
  // Returns a handler that adds the payload of each record to `handled`.
  consumer::Handler Noting() {
    return [this](const Record& record) {
      handled.Add(std::string(record.payload.value_or("")));
      return Outcome::Ok();
    };
  }

  std::string topic;
  Settings settings;
  Notes handled, log;
  Producer producer;
};

inline std::vector<Sent> Numbered(int count, std::int32_t partition = 0, int first = 0) {
  std::vector<Sent> records;
  for (int i = 0; i < count; ++i) records.push_back({std::to_string(first + i), partition});
  return records;
}

}  // namespace outbox::testing
