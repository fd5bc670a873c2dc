#include "kafka/topic_creator.hpp"

#include <algorithm>

namespace outbox::kafka {

using namespace std::chrono_literals;

void AskForCreation(const Settings& settings, const std::vector<std::string>& topics,
                    std::chrono::milliseconds timeout) {
  std::map<std::string, std::string> properties = settings.properties;
  properties["allow.auto.create.topics"] = "true";
  Result<ConfPtr> conf = MakePlainConf(properties);
  if (!conf.ok()) return;
  rd_kafka_conf_set_log_cb(conf->get(), [](const rd_kafka_t*, int, const char*, const char*) {});
  const Result<HandlePtr> handle = MakeHandle(RD_KAFKA_PRODUCER, std::move(*conf));
  if (!handle.ok()) return;
  const auto end = std::chrono::steady_clock::now() + timeout;
  for (const std::string& name : topics) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    const TopicPtr topic(rd_kafka_topic_new(handle->get(), name.c_str(), nullptr));
    if (topic == nullptr || left <= 0ms) return;
    const rd_kafka_metadata_t* raw = nullptr;
    const auto error = rd_kafka_metadata(handle->get(), 0, topic.get(), &raw, static_cast<int>(left.count()));
    const MetadataPtr answer(raw);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  }
}

}  // namespace outbox::kafka
