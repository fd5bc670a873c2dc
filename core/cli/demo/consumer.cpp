#include "cli/demo/consumer.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <unordered_map>

#include "kafka/settings.hpp"
#include "util/thread.hpp"

namespace outbox::cli {
namespace {

using namespace std::chrono_literals;

using kafka::MessagePtr;
using kafka::PartitionsPtr;

constexpr std::string_view kEventId = "event_id";
constexpr std::string_view kEventType = "event_type";
constexpr std::string_view kTraceParent = "traceparent";

std::string Text(const void* data, std::size_t size) {
  return {static_cast<const char*>(data), data != nullptr ? size : 0};
}

DemoRecord ToRecord(rd_kafka_message_t* message) {
  DemoRecord record{rd_kafka_topic_name(message->rkt),
                    message->partition,
                    message->offset,
                    Text(message->key, message->key_len),
                    Text(message->payload, message->len),
                    {}};
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return record;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    record.headers.emplace_back(name, Text(value, size));
  }
  return record;
}

std::string HeaderOf(const DemoRecord& record, std::string_view name) {
  for (const auto& [key, value] : record.headers) {
    if (key == name) return value;
  }
  return {};
}

bool IsAsWritten(const DemoRecord& record, const DemoEvent& event) {
  if (record.topic != event.topic || record.key != event.key || record.payload != event.payload) return false;
  constexpr std::size_t kHeaders = 3;
  return record.headers.size() == kHeaders && HeaderOf(record, kEventType) == event.type &&
         HeaderOf(record, kTraceParent) == event.trace_parent;
}

}  // namespace

Result<std::unique_ptr<DemoConsumer>> DemoConsumer::Start(const std::string& bootstrap, std::vector<Topic> topics) {
  auto conf = kafka::MakePlainConf({{"bootstrap.servers", bootstrap},
                                    {"group.id", "demo"},
                                    {"enable.auto.commit", "false"},
                                    {"fetch.wait.max.ms", "20"},
                                    {"log_level", "0"}});
  if (!conf.ok()) return conf.status();
  auto handle = kafka::MakeHandle(RD_KAFKA_CONSUMER, std::move(*conf));
  if (!handle.ok()) return handle.status();

  std::unique_ptr<DemoConsumer> consumer(new DemoConsumer(std::move(topics)));
  consumer->consumer_ = std::move(*handle);
  rd_kafka_poll_set_consumer(consumer->consumer_.get());
  const PartitionsPtr all(rd_kafka_topic_partition_list_new(1));
  for (const Topic& topic : consumer->topics_) {
    for (std::int32_t p = 0; p < topic.partitions; ++p) {
      rd_kafka_topic_partition_list_add(all.get(), topic.name.c_str(), p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
  }
  rd_kafka_assign(consumer->consumer_.get(), all.get());
  consumer->thread_ = util::StartThread("demo-consumer", [c = consumer.get()] { c->Run(); });
  return consumer;
}

DemoConsumer::~DemoConsumer() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  rd_kafka_consumer_close(consumer_.get());
}

void DemoConsumer::Run() {
  while (!stop_) {
    const MessagePtr message(rd_kafka_consumer_poll(consumer_.get(), 20));
    if (message == nullptr || message->err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    records_.push_back(ToRecord(message.get()));
    ++read_;
  }
}

std::int64_t DemoConsumer::CountStored() {
  std::int64_t count = 0;
  for (const Topic& topic : topics_) {
    for (std::int32_t p = 0; p < topic.partitions; ++p) {
      std::int64_t low = 0;
      std::int64_t high = 0;
      if (rd_kafka_query_watermark_offsets(consumer_.get(), topic.name.c_str(), p, &low, &high, 5000) ==
          RD_KAFKA_RESP_ERR_NO_ERROR) {
        count += high;
      }
    }
  }
  return count;
}

bool DemoConsumer::Finish(std::chrono::milliseconds timeout) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  const auto stored = static_cast<std::uint64_t>(CountStored());
  while (read() < stored && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(5ms);
  stop_ = true;
  thread_.join();
  return read() >= stored;
}

DemoVerdict DemoConsumer::Judge(const std::vector<DemoEvent>& journal) const {
  DemoVerdict verdict;
  std::unordered_map<std::string_view, std::size_t> written;  // Index of each event in the journal, by event id.
  for (std::size_t i = 0; i < journal.size(); ++i) written[journal[i].id] = i;

  std::vector<bool> seen(journal.size());
  // Highest index in the journal among the events found so far, for each topic and key. A key's records are all in one
  // partition and are examined in the order of that partition, so a new event with a lower index is out of order.
  std::map<std::pair<std::string_view, std::string_view>, std::size_t> newest;
  std::set<std::string_view> keys;
  std::set<std::string_view> out_of_order;
  for (const DemoRecord& record : records_) {
    const auto found = written.find(HeaderOf(record, kEventId));
    if (found == written.end()) {
      ++verdict.strangers;
      continue;
    }
    const std::size_t i = found->second;
    const DemoEvent& event = journal[i];
    if (!IsAsWritten(record, event)) ++verdict.altered;
    if (!event.committed) ++verdict.ghosts;
    if (seen[i]) {
      ++verdict.twice;
      continue;
    }
    seen[i] = true;
    if (event.committed) ++verdict.delivered;
    keys.insert(event.key);
    const auto [line, is_first] = newest.try_emplace({event.topic, event.key}, i);
    if (!is_first && i < line->second) out_of_order.insert(event.key);
    line->second = std::max(line->second, i);
  }
  for (std::size_t i = 0; i < journal.size(); ++i) verdict.lost += journal[i].committed && !seen[i] ? 1 : 0;
  verdict.keys = keys.size();
  verdict.keys_out_of_order = out_of_order.size();
  return verdict;
}

std::vector<DemoRecord> DemoConsumer::OneOrder() const {
  std::unordered_map<std::string_view, std::vector<const DemoRecord*>> by_key;
  const std::vector<const DemoRecord*>* longest = nullptr;
  for (const DemoRecord& record : records_) {
    auto& line = by_key[record.key];
    line.push_back(&record);
    if (longest == nullptr || line.size() > longest->size()) longest = &line;
  }
  std::vector<DemoRecord> order;
  if (longest == nullptr) return order;
  for (const DemoRecord* record : *longest) order.push_back(*record);
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.topic < b.topic; });
  return order;
}

}  // namespace outbox::cli
