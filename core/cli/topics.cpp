#include "cli/topics.hpp"

#include <algorithm>
#include <array>

#include "kafka/settings.hpp"

namespace outbox::cli {
namespace {

using NewTopicPtr = std::unique_ptr<rd_kafka_NewTopic_t, kafka::FreeWith<rd_kafka_NewTopic_destroy>>;

int Millis(std::chrono::milliseconds timeout) { return static_cast<int>(timeout.count()); }

}  // namespace

Result<std::unique_ptr<Cluster>> Cluster::Open(std::map<std::string, std::string> properties) {
  properties["allow.auto.create.topics"] = "false";
  auto conf = kafka::MakePlainConf(properties);
  if (!conf.ok()) return conf.status();
  // What the library would log comes out in Look's answer instead.
  rd_kafka_conf_set_log_cb(conf->get(), [](const rd_kafka_t*, int, const char*, const char*) {});
  rd_kafka_conf_set_events(conf->get(), RD_KAFKA_EVENT_ERROR);
  auto handle = kafka::MakeHandle(RD_KAFKA_PRODUCER, std::move(*conf));
  if (!handle.ok()) return handle.status();
  std::unique_ptr<Cluster> cluster(new Cluster);
  cluster->handle_ = std::move(*handle);
  return cluster;
}

Result<Cluster::Seen> Cluster::Look(std::chrono::milliseconds timeout) {
  const rd_kafka_metadata_t* raw = nullptr;
  const auto error = rd_kafka_metadata(handle_.get(), /*all_topics=*/1, nullptr, &raw, Millis(timeout));
  const kafka::MetadataPtr metadata(raw);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return Status(OUTBOX_UNAVAILABLE, Reason(rd_kafka_err2str(error)));
  Seen seen;
  seen.brokers = metadata->broker_cnt;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const auto& topic = metadata->topics[i];
    if (topic.err == RD_KAFKA_RESP_ERR_NO_ERROR) seen.partitions[topic.topic] = topic.partition_cnt;
  }
  return seen;
}

// The error events name the cause ("Connection refused"); the call itself knows only that nobody answered.
std::string Cluster::Reason(const std::string& otherwise) {
  const kafka::QueuePtr queue(rd_kafka_queue_get_main(handle_.get()));
  std::string reason;
  for (kafka::EventPtr event; event.reset(rd_kafka_queue_poll(queue.get(), 0)), event != nullptr;) {
    const auto error = rd_kafka_event_error(event.get());
    if (reason.empty() || error != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
      reason = rd_kafka_event_error_string(event.get());
  }
  // "(after 0ms in state CONNECT, 1 identical error(s) suppressed)"
  reason.erase(std::min(reason.find(" (after "), reason.size()));
  return reason.empty() ? otherwise : reason;
}

Status Cluster::Create(const std::string& topic, std::chrono::milliseconds timeout) {
  std::array<char, 256> text{};
  const NewTopicPtr wish(rd_kafka_NewTopic_new(topic.c_str(), -1, -1, text.data(), text.size()));
  if (wish == nullptr) return {OUTBOX_BAD_DATA, text.data()};
  const kafka::OptionsPtr options(rd_kafka_AdminOptions_new(handle_.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS));
  for (const auto set : {rd_kafka_AdminOptions_set_request_timeout, rd_kafka_AdminOptions_set_operation_timeout}) {
    const auto error = set(options.get(), Millis(timeout), text.data(), text.size());
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return {OUTBOX_INTERNAL, text.data()};
  }
  const kafka::QueuePtr queue(rd_kafka_queue_new(handle_.get()));
  auto* wishes = wish.get();
  rd_kafka_CreateTopics(handle_.get(), &wishes, 1, options.get(), queue.get());
  const kafka::EventPtr event(rd_kafka_queue_poll(queue.get(), 2 * Millis(timeout)));
  if (event == nullptr) return {OUTBOX_TIMEOUT, "no answer"};
  if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return {OUTBOX_UNAVAILABLE, rd_kafka_event_error_string(event.get())};
  }
  std::size_t count = 0;
  const auto* const* results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  if (count != 1) return {OUTBOX_UNAVAILABLE, "no answer"};
  const auto error = rd_kafka_topic_result_error(results[0]);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) return {};
  const char* why = rd_kafka_topic_result_error_string(results[0]);
  return {OUTBOX_BAD_DATA, why != nullptr ? why : rd_kafka_err2str(error)};
}

}  // namespace outbox::cli
