#include "cli/common/publishers.hpp"

#include <unistd.h>

#include "kafka/kafka_publisher.hpp"
#include "publisher/stdout_publisher.hpp"

namespace outbox::cli {

publisher::PublisherFactory MakePublishers(const config::Config& config, std::shared_ptr<spdlog::logger> logger) {
  if (config.publisher.type != "stdout") return kafka::MakeKafkaPublishers(config, std::move(logger));
  return [headers = kafka::ToSettings(config).headers](
             publisher::PublisherListener& listener) -> Result<std::unique_ptr<publisher::Publisher>> {
    return publisher::MakeStdoutPublisher(listener, STDOUT_FILENO, headers);
  };
}

}  // namespace outbox::cli
