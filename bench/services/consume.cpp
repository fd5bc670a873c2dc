// Reads COUNT records of a topic and prints the number of records per second: consume HOW BROKERS TOPIC COUNT [DSN]
//   fill      writes COUNT records and reads none: 200 bytes of payload, a key, and the headers of the relay
//   bare      a loop around rd_kafka_consumer_poll that reads the payload
//   headers   like bare, and also finds the headers event_id and event_type
//   consumer  outbox::consumer::Consumer with On
//   batches   outbox::consumer::Consumer with OnBatch
//   bare-inbox, consumer-inbox   like bare and consumer, and also write each event id to an inbox table in the
//                                PostgreSQL database DSN, in transactions of 500
// The time to join the consumer group is not counted: the clock starts with the first record.
#include <librdkafka/rdkafka.h>

#include <atomic>
#include <chrono>
#include <iostream>
#include <outbox/consumer.hpp>
#include <outbox/inbox/libpq.hpp>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using outbox::consumer::Outcome;
using outbox::consumer::Record;

constexpr std::size_t kBatch = 500;
constexpr const char* kInsert =
    "insert into outbox_inbox (consumer_group, event_id) select $1, id from unnest($2::text[]) as u (id) order by id"
    " on conflict do nothing returning event_id";

struct Task {
  std::string brokers, topic, dsn;
  std::int64_t count;
};

class Meter {
 public:
  explicit Meter(std::int64_t count) : wanted_(count) {}
  // Counts `more` records. When all records have been read, prints the rate and returns true.
  bool Add(std::int64_t more) {
    if (seen_ == 0) begun_ = Clock::now();
    seen_ += more;
    if (seen_ < wanted_ || done_) return done_;
    std::cout << static_cast<std::int64_t>(static_cast<double>(seen_) /
                                           std::chrono::duration<double>(Clock::now() - begun_).count())
              << std::endl;
    return done_ = true;
  }

 private:
  const std::int64_t wanted_;
  std::int64_t seen_ = 0;
  Clock::time_point begun_;
  bool done_ = false;
};

std::string Group() { return "bench-" + std::to_string(Clock::now().time_since_epoch().count()); }

rd_kafka_t* Make(rd_kafka_type_t type, const std::vector<std::pair<const char*, std::string>>& properties) {
  rd_kafka_conf_t* const conf = rd_kafka_conf_new();
  char text[512];
  for (const auto& [name, value] : properties)
    if (rd_kafka_conf_set(conf, name, value.c_str(), text, sizeof text) != RD_KAFKA_CONF_OK)
      throw std::runtime_error(text);
  rd_kafka_t* const handle = rd_kafka_new(type, conf, text, sizeof text);
  if (handle == nullptr) throw std::runtime_error(text);
  return handle;
}

void Fill(const Task& task) {
  rd_kafka_t* const producer = Make(RD_KAFKA_PRODUCER, {{"bootstrap.servers", task.brokers},
                                                        {"linger.ms", "20"},
                                                        {"acks", "1"},
                                                        {"compression.type", "lz4"},
                                                        {"queue.buffering.max.messages", "1000000"}});
  const std::string payload(200, 'x');
  for (std::int64_t i = 0; i < task.count; ++i) {
    const std::string number = std::to_string(i);
    const std::string id = "00000000-0000-7000-8000-" + std::string(12 - number.size(), '0') + number;
    const std::string key = "key-" + std::to_string(i % 10'000);
    while (rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(task.topic.c_str()), RD_KAFKA_V_KEY(key.data(), key.size()),
                             RD_KAFKA_V_VALUE(const_cast<char*>(payload.data()), payload.size()),
                             RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                             RD_KAFKA_V_HEADER("event_id", id.data(), static_cast<ssize_t>(id.size())),
                             RD_KAFKA_V_HEADER("event_type", "OrderPlaced", 11),
                             RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
      rd_kafka_poll(producer, 10);
    rd_kafka_poll(producer, 0);
  }
  rd_kafka_flush(producer, 120'000);
  rd_kafka_destroy(producer);
}

// Returns a consumer that commits its offsets every second, as outbox::consumer::Consumer does.
rd_kafka_t* BareConsumer(const Task& task) {
  rd_kafka_t* const consumer = Make(RD_KAFKA_CONSUMER, {{"bootstrap.servers", task.brokers},
                                                        {"group.id", Group()},
                                                        {"auto.offset.reset", "earliest"},
                                                        {"auto.commit.interval.ms", "1000"},
                                                        {"enable.auto.offset.store", "false"}});
  rd_kafka_poll_set_consumer(consumer);
  rd_kafka_topic_partition_list_t* const topics = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(topics, task.topic.c_str(), RD_KAFKA_PARTITION_UA);
  rd_kafka_subscribe(consumer, topics);
  rd_kafka_topic_partition_list_destroy(topics);
  return consumer;
}

std::uint64_t LookAt(const void* data, std::size_t size) {
  return size > 0 ? static_cast<const unsigned char*>(data)[size - 1] : 0;
}

// Sum of the last bytes of all values that were read, so that the compiler cannot remove the reads as unused.
std::atomic<std::uint64_t> sum = 0;

std::string_view Header(const rd_kafka_message_t* message, const char* name) {
  rd_kafka_headers_t* headers = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  if (rd_kafka_message_headers(message, &headers) != 0 || rd_kafka_header_get_last(headers, name, &value, &size) != 0)
    throw std::runtime_error("no header");
  return {static_cast<const char*>(value), size};
}

void Bare(const Task& task, bool with_headers) {
  rd_kafka_t* const consumer = BareConsumer(task);
  Meter meter(task.count);
  for (bool done = false; !done;) {
    rd_kafka_message_t* const message = rd_kafka_consumer_poll(consumer, 100);
    if (message == nullptr) continue;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      sum += LookAt(message->payload, message->len);
      if (with_headers) sum += Header(message, "event_id").size() + Header(message, "event_type").size();
      rd_kafka_offset_store(message->rkt, message->partition, message->offset);
      done = meter.Add(1);
    }
    rd_kafka_message_destroy(message);
  }
  rd_kafka_consumer_close(consumer);
  rd_kafka_destroy(consumer);
}

PGconn* Connect(const Task& task) {
  PGconn* const db = PQconnectdb(task.dsn.c_str());
  if (PQstatus(db) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(db));
  PQclear(PQexec(
      db, ("set client_min_messages = warning; drop table if exists outbox_inbox;" + outbox::inbox::PostgresTable())
              .c_str()));
  PQclear(PQexec(db, "checkpoint"));
  return db;
}

void BareInbox(const Task& task) {
  PGconn* const db = Connect(task);
  rd_kafka_t* const consumer = BareConsumer(task);
  rd_kafka_queue_t* const queue = rd_kafka_queue_get_consumer(consumer);
  Meter meter(task.count);
  std::vector<rd_kafka_message_t*> messages(kBatch);
  for (bool done = false; !done;) {
    const ssize_t got = rd_kafka_consume_batch_queue(queue, 20, messages.data(), messages.size());
    if (got <= 0) continue;
    std::string ids = "{";
    for (ssize_t i = 0; i < got; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (messages[at]->err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
      sum += Header(messages[at], "event_type").size();
      ids.append(ids.size() > 1 ? ",\"" : "\"").append(Header(messages[at], "event_id")).append("\"");
    }
    ids += '}';
    const char* const values[] = {"bench", ids.c_str()};
    PQclear(PQexec(db, "begin"));
    PGresult* const result = PQexecParams(db, kInsert, 2, nullptr, values, nullptr, nullptr, 0);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) throw std::runtime_error(PQerrorMessage(db));
    sum += static_cast<std::uint64_t>(PQntuples(result));
    PQclear(result);
    PQclear(PQexec(db, "commit"));
    for (ssize_t i = 0; i < got; ++i) {
      rd_kafka_message_t* const message = messages[static_cast<std::size_t>(i)];
      rd_kafka_offset_store(message->rkt, message->partition, message->offset);
      rd_kafka_message_destroy(message);
    }
    done = meter.Add(got);
  }
  rd_kafka_queue_destroy(queue);
  rd_kafka_consumer_close(consumer);
  rd_kafka_destroy(consumer);
  PQfinish(db);
}

void Library(const Task& task, bool batches, bool inbox) {
  PGconn* const db = inbox ? Connect(task) : nullptr;
  outbox::consumer::Settings settings;
  settings.kafka = {{"bootstrap.servers", task.brokers}, {"group.id", Group()}};
  settings.topics = {task.topic};
  settings.batch_size = kBatch;
  outbox::consumer::Consumer consumer(settings);
  Meter meter(task.count);
  const auto count = [&](std::size_t more) {
    if (meter.Add(static_cast<std::int64_t>(more))) consumer.RequestStop();
    return Outcome::Ok();
  };
  if (!batches) {
    consumer.On("OrderPlaced", [&](const Record& record) {
      sum += LookAt(record.payload->data(), record.payload->size());
      return count(1);
    });
  } else {
    consumer.OnBatch({"OrderPlaced"}, [&](std::span<const Record> records) {
      std::vector<std::string_view> ids;
      for (const Record& record : records) {
        sum += LookAt(record.payload->data(), record.payload->size());
        if (inbox) ids.push_back(record.event_id);
      }
      if (inbox) {
        PQclear(PQexec(db, "begin"));
        for (const bool first : outbox::inbox::FirstTime(db, "bench", std::span<const std::string_view>(ids)))
          sum += first ? 1 : 0;
        PQclear(PQexec(db, "commit"));
      }
      return count(records.size());
    });
  }
  consumer.Start();
  consumer.Wait();
  if (inbox) PQfinish(db);
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 5) return 2;
  const std::string how = arguments[1];
  const Task task{arguments[2], arguments[3], count > 5 ? arguments[5] : "", std::stoll(arguments[4])};
  try {
    if (how == "fill") Fill(task);
    if (how == "bare" || how == "headers") Bare(task, how == "headers");
    if (how == "bare-inbox") BareInbox(task);
    if (how == "consumer" || how == "batches") Library(task, how == "batches", false);
    if (how == "consumer-inbox") Library(task, true, true);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
