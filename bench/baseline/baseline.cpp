#include "baseline.hpp"

#include <librdkafka/rdkafka.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <map>
#include <mutex>
#include <thread>

namespace bench {
namespace {

// Maximum number of rows that have been read and not yet deleted.
constexpr std::size_t kWindow = 20'000;
// Maximum number of rows in one delete.
constexpr std::size_t kMaxAtOnce = 4 * kBatch;

rd_kafka_t* MakeProducer(const std::string& brokers) {
  rd_kafka_conf_t* const conf = rd_kafka_conf_new();
  const std::pair<const char*, std::string> properties[] = {{"bootstrap.servers", brokers},
                                                            {"enable.idempotence", "true"},
                                                            {"enable.gapless.guarantee", "true"},
                                                            {"acks", "all"},
                                                            {"message.timeout.ms", "0"},
                                                            {"max.in.flight", "5"},
                                                            {"linger.ms", "1"},
                                                            {"batch.size", "1000000"},
                                                            {"message.max.bytes", "1000000000"},
                                                            {"queue.buffering.max.messages", "50000"},
                                                            {"queue.buffering.max.kbytes", "1000000"},
                                                            {"partitioner", "murmur2_random"},
                                                            {"socket.nagle.disable", "true"}};
  char text[512];
  for (const auto& [name, value] : properties)
    Require(rd_kafka_conf_set(conf, name, value.c_str(), text, sizeof text) == RD_KAFKA_CONF_OK, text);
  rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
  rd_kafka_t* const producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
  Require(producer != nullptr, text);
  return producer;
}

class Drainage {
 public:
  Drainage(Reader& reader, Remover& remover, const std::string& brokers)
      : reader_(reader), remover_(remover), producer_(MakeProducer(brokers)) {}

  void Run() {
    std::thread reading([this] { Read(); }), reporting([this] { Report(); }), removing([this] { Remove(); });
    Produce();
    reading.join();
    removing.join();
    reporting.join();
    for (const auto& [name, topic] : topics_) rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(producer_);
  }

 private:
  void Read() {
    for (long long last = 0;;) {
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return outstanding_ + kBatch <= kWindow; });
      }
      std::unique_ptr<Batch> batch = reader_.After(last);
      const std::lock_guard lock(mutex_);
      changed_.notify_all();
      if (batch->rows.empty()) {
        read_all_ = true;
        return;
      }
      last = batch->rows.back().id;
      outstanding_ += batch->rows.size();
      batch->left = batch->rows.size();
      for (Row& row : batch->rows) row.batch = batch.get();
      batches_.push_back(batch.release());
    }
  }

  void Produce() {
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !batches_.empty() || read_all_; });
      if (batches_.empty()) return;
      Batch* const batch = batches_.front();
      batches_.pop_front();
      lock.unlock();
      // The batch may be deleted as soon as its last row has been sent, so the loop must not access the batch after the
      // last Send().
      const std::span<Row> rows(batch->rows);
      for (Row& row : rows) Send(row);
    }
  }

  void Send(Row& row) {
    auto topic = topics_.find(row.topic);
    if (topic == topics_.end()) {
      const std::string name(row.topic);
      topic = topics_.emplace(name, rd_kafka_topic_new(producer_, name.c_str(), nullptr)).first;
    }
    rd_kafka_headers_t* const headers = rd_kafka_headers_new(2);
    rd_kafka_header_add(headers, "event_id", 8, row.event_id.data(), static_cast<ssize_t>(row.event_id.size()));
    rd_kafka_header_add(headers, "event_type", 10, row.type.data(), static_cast<ssize_t>(row.type.size()));
    const auto error =
        rd_kafka_producev(producer_, RD_KAFKA_V_RKT(topic->second), RD_KAFKA_V_KEY(row.key.data(), row.key.size()),
                          RD_KAFKA_V_VALUE(const_cast<char*>(row.payload.data()), row.payload.size()),
                          RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(&row), RD_KAFKA_V_END);
    Require(error == RD_KAFKA_RESP_ERR_NO_ERROR, rd_kafka_err2str(error));
  }

  void Report() {
    rd_kafka_queue_t* const queue = rd_kafka_queue_get_main(producer_);
    const rd_kafka_message_t* messages[256];
    std::vector<long long> ids;
    while (!finished_) {
      rd_kafka_event_t* const event = rd_kafka_queue_poll(queue, 100);
      if (event == nullptr) continue;
      if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR) Fail(rd_kafka_event_error_string(event));
      ids.clear();
      while (const std::size_t count = rd_kafka_event_message_array(event, messages, std::size(messages)))
        for (const rd_kafka_message_t* const message : std::span(messages, count)) {
          Require(message->err == RD_KAFKA_RESP_ERR_NO_ERROR, rd_kafka_err2str(message->err));
          const Row& row = *static_cast<const Row*>(message->_private);
          ids.push_back(row.id);
          if (--row.batch->left == 0) delete row.batch;
        }
      rd_kafka_event_destroy(event);
      if (ids.empty()) continue;
      const std::lock_guard lock(mutex_);
      acked_.insert(acked_.end(), ids.begin(), ids.end());
      changed_.notify_all();
    }
    rd_kafka_queue_destroy(queue);
  }

  void Remove() {
    std::vector<long long> ids;
    for (;;) {
      std::unique_lock lock(mutex_);
      outstanding_ -= ids.size();
      changed_.notify_all();
      changed_.wait(lock, [this] { return !acked_.empty() || (read_all_ && outstanding_ == 0); });
      const auto end = acked_.begin() + static_cast<std::ptrdiff_t>(std::min(acked_.size(), kMaxAtOnce));
      ids.assign(acked_.begin(), end);
      acked_.erase(acked_.begin(), end);
      lock.unlock();
      if (ids.empty()) break;
      std::sort(ids.begin(), ids.end());
      remover_.Remove(ids);
    }
    finished_ = true;
  }

  Reader& reader_;
  Remover& remover_;
  rd_kafka_t* const producer_;
  std::map<std::string, rd_kafka_topic_t*, std::less<>> topics_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Batch*> batches_;
  std::vector<long long> acked_;
  std::size_t outstanding_ = 0;  // number of rows that have been read and not yet deleted
  bool read_all_ = false;
  std::atomic<bool> finished_ = false;
};

}  // namespace

void Fail(const std::string& why) {
  std::cerr << why << std::endl;
  std::_Exit(1);
}

int Drain(Reader& reader, Remover& remover, const std::string& brokers) {
  Drainage(reader, remover, brokers).Run();
  pause();
  return 0;
}

}  // namespace bench
