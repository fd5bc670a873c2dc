#include "cli/publishers.hpp"

#include "kafka/kafka_publisher.hpp"
#include "publish/stdout_publisher.hpp"

namespace outbox::cli {

engine::PublisherFactory MakePublishers(const config::Config& config, std::shared_ptr<spdlog::logger> logger) {
  if (config.publisher.type == "stdout") {
    return [](publish::PublisherListener& listener) -> Result<std::unique_ptr<publish::Publisher>> {
      return publish::MakeStdoutPublisher(listener);
    };
  }
  kafka::Settings settings{config.publisher.kafka, config.publisher.strict, config.relay.max_in_flight_events,
                           config.relay.max_in_flight_bytes, config.relay.delivery_timeout};
  return [settings = std::move(settings), logger = std::move(logger)](publish::PublisherListener& listener) {
    return kafka::MakeKafkaPublisher(settings, listener, logger);
  };
}

}  // namespace outbox::cli
