// Compares the records of a topic with the expected events.
//
//   records BROKERS TOPIC FIRST COUNT KEYS SIZE OFFSET...
//
// Reads each partition from its OFFSET (one for each partition, in the order of the partitions) to the end that the
// partition has when this program starts. The expected events have the numbers FIRST to FIRST + COUNT - 1. Each has a
// payload of SIZE bytes that begins with its number, and the key "key-N", where N is the number modulo KEYS. Prints one
// JSON object with these counts:
//   missing       events without a record
//   copies        records of an event beyond its first one
//   out_of_order  events whose first record is behind the first record of a later event of the same key
//   scattered     events whose first record is in a different partition from the first record of their key
//   foreign       records that belong to none of the expected events, because their number, key or size differs
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

namespace {

[[noreturn]] void Fail(const std::string& why) {
  std::cerr << why << std::endl;
  std::_Exit(1);
}

rd_kafka_t* Consumer(const char* brokers) {
  rd_kafka_conf_t* const conf = rd_kafka_conf_new();
  char text[512];
  for (const auto& [name, value] : {std::pair{"bootstrap.servers", brokers},
                                    {"group.id", "records"},
                                    {"enable.auto.commit", "false"},
                                    {"enable.partition.eof", "true"},
                                    {"auto.offset.reset", "error"}})
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK) Fail(text);
  rd_kafka_t* const consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
  if (consumer == nullptr) Fail(text);
  rd_kafka_poll_set_consumer(consumer);
  return consumer;
}

class Checker {
 public:
  Checker(std::int64_t first, std::size_t count, std::int64_t keys, std::size_t size)
      : first_(first), keys_(keys), size_(size), seen_(count), latest_(keys, -1), partitions_(keys, -1) {}

  void Take(const rd_kafka_message_t& record) {
    const std::string payload(static_cast<const char*>(record.payload), record.len);
    const std::int64_t number = std::atoll(payload.c_str());
    if (number < first_ || number - first_ >= static_cast<std::int64_t>(seen_.size()) || payload.size() != size_ ||
        std::string(static_cast<const char*>(record.key), record.key_len) != "key-" + std::to_string(number % keys_)) {
      ++foreign_;
      return;
    }
    if (seen_[number - first_]) {
      ++copies_;
      return;
    }
    seen_[number - first_] = true;
    std::int64_t& latest = latest_[number % keys_];
    out_of_order_ += number < latest;
    latest = std::max(latest, number);
    std::int32_t& partition = partitions_[number % keys_];
    if (partition < 0) partition = record.partition;
    scattered_ += partition != record.partition;
  }

  void Print() const {
    std::cout << "{\"missing\": " << std::count(seen_.begin(), seen_.end(), false) << ", \"copies\": " << copies_
              << ", \"out_of_order\": " << out_of_order_ << ", \"scattered\": " << scattered_
              << ", \"foreign\": " << foreign_ << "}" << std::endl;
  }

 private:
  const std::int64_t first_, keys_;
  const std::size_t size_;
  std::vector<bool> seen_;
  // The highest event number so far, by key; -1 before the first record.
  std::vector<std::int64_t> latest_;
  // The partition of the first record, by key; -1 before the first record.
  std::vector<std::int32_t> partitions_;
  std::int64_t copies_ = 0, out_of_order_ = 0, scattered_ = 0, foreign_ = 0;
};

}  // namespace

int main(int count, char** arguments) {
  if (count < 8) return 2;
  const char* const topic = arguments[2];
  rd_kafka_t* const consumer = Consumer(arguments[1]);
  Checker checker(std::atoll(arguments[3]), std::atoll(arguments[4]), std::atoll(arguments[5]),
                  std::atoll(arguments[6]));
  std::vector<std::int64_t> ends;
  rd_kafka_topic_partition_list_t* const list = rd_kafka_topic_partition_list_new(count - 7);
  for (int i = 0; i < count - 7; ++i) {
    std::int64_t low = 0, high = 0;
    if (rd_kafka_query_watermark_offsets(consumer, topic, i, &low, &high, 30'000) != RD_KAFKA_RESP_ERR_NO_ERROR)
      Fail("no offsets");
    ends.push_back(high);
    rd_kafka_topic_partition_list_add(list, topic, i)->offset = std::atoll(arguments[7 + i]);
  }
  rd_kafka_assign(consumer, list);
  rd_kafka_topic_partition_list_destroy(list);
  for (std::size_t open = ends.size(); open > 0;) {
    rd_kafka_message_t* const record = rd_kafka_consumer_poll(consumer, 30'000);
    if (record == nullptr) Fail("the broker has sent nothing for 30 s");
    if (record->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
      --open;
    else if (record->err != RD_KAFKA_RESP_ERR_NO_ERROR)
      Fail(rd_kafka_message_errstr(record));
    else if (record->offset < ends[record->partition])
      checker.Take(*record);
    rd_kafka_message_destroy(record);
  }
  checker.Print();
  std::_Exit(0);
}
