#include "cli/common/kafka_admin.hpp"

#include <algorithm>
#include <array>

#include "kafka/settings.hpp"
#include "kafka/topic_limits.hpp"

namespace outbox::cli {
namespace {

using NewTopicPtr = std::unique_ptr<rd_kafka_NewTopic_t, kafka::FreeWith<rd_kafka_NewTopic_destroy>>;

int Millis(std::chrono::milliseconds timeout) { return static_cast<int>(timeout.count()); }

}  // namespace

Result<std::unique_ptr<Cluster>> Cluster::Open(kafka::Settings settings) {
  settings.properties["allow.auto.create.topics"] = "false";
  std::unique_ptr<Cluster> cluster(new Cluster(std::move(settings)));
  const auto cleaned = [&](const Status& status) {
    return Status(status.code(), cluster->settings_.Clean(status.text()));
  };
  auto conf = kafka::MakePlainConf(cluster->settings_.properties);
  if (!conf.ok()) return cleaned(conf.status());
  // The library's log is dropped; trouble() reports failures instead.
  rd_kafka_conf_set_log_cb(conf->get(), [](const rd_kafka_t*, int, const char*, const char*) {});
  rd_kafka_conf_set_opaque(conf->get(), cluster.get());
  kafka::WatchCertificates<Troubles>(conf->get());
  rd_kafka_conf_set_events(conf->get(), RD_KAFKA_EVENT_ERROR);
  auto handle = kafka::MakeHandle(RD_KAFKA_PRODUCER, std::move(*conf));
  if (!handle.ok()) return cleaned(handle.status());
  cluster->handle_ = std::move(*handle);
  return cluster;
}

std::optional<Cluster::Seen> Cluster::Look(std::chrono::milliseconds timeout) {
  const rd_kafka_metadata_t* raw = nullptr;
  const auto error = rd_kafka_metadata(handle_.get(), /*all_topics=*/1, nullptr, &raw, Millis(timeout));
  const kafka::MetadataPtr metadata(raw);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    trouble_ = {rd_kafka_err2str(error), false};
    // A refused login takes precedence, because it says more than another broker's missing answer.
    for (const auto& [name, why] : TakeErrors()) {
      if (!trouble_.login) trouble_ = {kafka::Describe(why), why.kind == kafka::ConnectionError::Kind::kLogin};
    }
    return std::nullopt;
  }
  Seen seen;
  for (int i = 0; i < metadata->broker_cnt; ++i) {
    const auto& broker = metadata->brokers[i];
    seen.brokers[broker.id] = std::string(broker.host) + ":" + std::to_string(broker.port);
  }
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const auto& topic = metadata->topics[i];
    if (topic.err == RD_KAFKA_RESP_ERR_NO_ERROR) seen.partitions[topic.topic] = topic.partition_cnt;
  }
  return seen;
}

std::vector<std::string> Cluster::Unreachable(const Seen& seen, std::chrono::milliseconds timeout) {
  std::vector<std::int32_t> ids;
  for (const auto& [id, address] : seen.brokers) ids.push_back(id);
  const std::set<std::int32_t> reached = kafka::Reach(handle_.get(), ids, timeout);
  std::map<std::int32_t, kafka::ConnectionError> errors;
  for (const auto& [name, why] : TakeErrors()) errors.insert_or_assign(why.broker, why);
  std::vector<std::string> texts;
  for (const auto& [id, address] : seen.brokers) {
    if (reached.contains(id)) continue;
    kafka::ConnectionError error{kafka::ConnectionError::Kind::kUnreachable,
                                 "",
                                 address,
                                 id,
                                 kafka::NamesAddress(settings_.Servers(), address),
                                 "the address does not answer"};
    if (const auto known = errors.find(id); known != errors.end()) error = known->second;
    texts.push_back(kafka::Describe(error));
  }
  return texts;
}

std::map<std::string, kafka::ConnectionError> Cluster::TakeErrors() {
  const kafka::QueuePtr queue(rd_kafka_queue_get_main(handle_.get()));
  std::map<std::string, kafka::ConnectionError> errors;
  for (kafka::EventPtr event; event.reset(rd_kafka_queue_poll(queue.get(), 0)), event != nullptr;) {
    const auto error = rd_kafka_event_error(event.get());
    if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || error == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    auto explained = kafka::ExplainConnection(error, settings_.Clean(rd_kafka_event_error_string(event.get())),
                                              certificates_, settings_.Servers());
    const std::string name = explained.name;
    errors.insert_or_assign(name, std::move(explained));
  }
  return errors;
}

bool Cluster::MayReadLimit(const Seen& seen, const std::string& topic, std::chrono::milliseconds timeout) {
  return kafka::AskTopicLimits(handle_.get(), seen.brokers.empty() ? -1 : seen.brokers.begin()->first, {topic}, timeout)
      .denied.empty();
}

Status Cluster::Create(const std::string& topic, std::chrono::milliseconds timeout) {
  std::array<char, 256> text{};
  const NewTopicPtr new_topic(rd_kafka_NewTopic_new(topic.c_str(), -1, -1, text.data(), text.size()));
  if (new_topic == nullptr) return {OUTBOX_BAD_DATA, text.data()};
  const kafka::OptionsPtr options(rd_kafka_AdminOptions_new(handle_.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS));
  for (const auto set : {rd_kafka_AdminOptions_set_request_timeout, rd_kafka_AdminOptions_set_operation_timeout}) {
    const auto error = set(options.get(), Millis(timeout), text.data(), text.size());
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return {OUTBOX_INTERNAL, text.data()};
  }
  const kafka::QueuePtr queue(rd_kafka_queue_new(handle_.get()));
  auto* new_topics = new_topic.get();
  rd_kafka_CreateTopics(handle_.get(), &new_topics, 1, options.get(), queue.get());
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
