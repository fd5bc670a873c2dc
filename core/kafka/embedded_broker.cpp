#include "kafka/embedded_broker.hpp"

#include "kafka/errors.hpp"
#include "kafka/settings.hpp"

namespace outbox::kafka {

Result<std::unique_ptr<EmbeddedBroker>> EmbeddedBroker::Start(const std::vector<Topic>& topics) {
  Result<ConfPtr> conf = MakePlainConf({{"log_level", "0"}});
  if (!conf.ok()) return conf.status();
  Result<HandlePtr> handle = MakeHandle(RD_KAFKA_PRODUCER, std::move(*conf));
  if (!handle.ok()) return handle.status();

  std::unique_ptr<EmbeddedBroker> broker(new EmbeddedBroker());
  broker->handle_ = std::move(*handle);
  broker->cluster_.reset(rd_kafka_mock_cluster_new(broker->handle_.get(), 1));
  if (broker->cluster_ == nullptr) return Status(OUTBOX_INTERNAL, "the embedded broker cannot listen on 127.0.0.1");
  for (const Topic& topic : topics) {
    const auto error = rd_kafka_mock_topic_create(broker->mock(), topic.name.c_str(), topic.partitions, 1);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return Status(OUTBOX_INTERNAL,
                    "the embedded broker cannot create the topic " + topic.name + ": " + ErrorText(error));
    }
  }
  return broker;
}

}  // namespace outbox::kafka
