// Records when events arrive.
//
//   arrivals BROKERS TOPIC PARTITIONS FIRST COUNT
//
// Prints "ready" and reads the records that are written after that, until it has COUNT records whose payloads begin
// with a number of FIRST or more. Then prints one line per record: its number, the broker's timestamp, and the time at
// which this program received the record. Both times are in microseconds since 1970.
#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::system_clock;

struct Arrival {
  long long number, appended_us, received_us;
};

long long Micros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch()).count();
}

[[noreturn]] void Fail(const char* why) {
  std::cerr << why << std::endl;
  std::_Exit(1);
}

rd_kafka_t* Consumer(const char* brokers, const char* topic, int partitions) {
  rd_kafka_conf_t* const conf = rd_kafka_conf_new();
  char text[512];
  for (const auto& [name, value] : {std::pair{"bootstrap.servers", brokers},
                                    {"group.id", "arrivals"},
                                    {"enable.auto.commit", "false"},
                                    {"auto.offset.reset", "error"}})
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK) Fail(text);
  rd_kafka_t* const consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
  if (consumer == nullptr) Fail(text);
  rd_kafka_poll_set_consumer(consumer);
  rd_kafka_topic_partition_list_t* const list = rd_kafka_topic_partition_list_new(partitions);
  for (int i = 0; i < partitions; ++i) {
    std::int64_t low = 0, high = 0;
    if (rd_kafka_query_watermark_offsets(consumer, topic, i, &low, &high, 30'000) != RD_KAFKA_RESP_ERR_NO_ERROR)
      Fail("no offsets");
    rd_kafka_topic_partition_list_add(list, topic, i)->offset = high;
  }
  rd_kafka_assign(consumer, list);
  rd_kafka_topic_partition_list_destroy(list);
  return consumer;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 6) return 2;
  rd_kafka_t* const consumer = Consumer(arguments[1], arguments[2], std::atoi(arguments[3]));
  const long long first = std::atoll(arguments[4]);
  const auto wanted = static_cast<std::size_t>(std::atoll(arguments[5]));
  std::cout << "ready" << std::endl;
  std::vector<Arrival> arrivals;
  arrivals.reserve(wanted);
  while (arrivals.size() < wanted) {
    rd_kafka_message_t* const message = rd_kafka_consumer_poll(consumer, 1000);
    if (message == nullptr) continue;
    const long long now = Micros();
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) Fail(rd_kafka_message_errstr(message));
    rd_kafka_timestamp_type_t type;
    const long long appended = rd_kafka_message_timestamp(message, &type) * 1000;
    const long long number = std::atoll(std::string(static_cast<const char*>(message->payload), message->len).c_str());
    if (number >= first) arrivals.push_back({number, appended, now});
    rd_kafka_message_destroy(message);
  }
  for (const Arrival& a : arrivals) std::cout << a.number << ' ' << a.appended_us << ' ' << a.received_us << '\n';
  std::cout.flush();
  std::_Exit(0);
}
