#include "cli/common/publishers.hpp"

#include "kafka/kafka_publisher.hpp"
#include "publisher/stdout_publisher.hpp"

namespace outbox::cli {

publisher::HeaderValues HeaderValuesOf(const config::Config& config) {
  return config.publisher.strict_headers ? publisher::HeaderValues::kStrict : publisher::HeaderValues::kAsText;
}

kafka::Settings KafkaSettings(const config::Config& config) {
  return {config.publisher.kafka,
          config.publisher.strict,
          config.relay.max_in_flight_events,
          config.relay.max_in_flight_bytes,
          config.relay.delivery_timeout,
          HeaderValuesOf(config),
          config.publisher.kafka_now,
          [secrets = config.publisher.secrets] { return secrets->TakeProblems(); },
          [secrets = config.publisher.secrets](std::string_view text) { return secrets->Clean(text); }};
}

runtime::PublisherFactory MakePublishers(const config::Config& config, std::shared_ptr<spdlog::logger> logger) {
  if (config.publisher.type == "stdout") {
    return [headers = HeaderValuesOf(config)](
               publisher::PublisherListener& listener) -> Result<std::unique_ptr<publisher::Publisher>> {
      return publisher::MakeStdoutPublisher(listener, STDOUT_FILENO, headers);
    };
  }
  kafka::Settings settings = KafkaSettings(config);
  return [settings = std::move(settings), logger = std::move(logger)](publisher::PublisherListener& listener) {
    return kafka::MakeKafkaPublisher(settings, listener, logger);
  };
}

}  // namespace outbox::cli
