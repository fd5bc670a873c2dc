#include "outbox/relay.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "config/load.hpp"
#include "embed/sender_publisher.hpp"
#include "kafka/kafka_publisher.hpp"
#include "kafka/property_policy.hpp"
#include "runtime/relay.hpp"
#include "storage/loader.hpp"
#include "util/shortage.hpp"

namespace outbox::embed {
namespace {

LogLevel LevelOf(spdlog::level::level_enum level) {
  return level >= spdlog::level::err     ? LogLevel::kError
         : level == spdlog::level::warn  ? LogLevel::kWarning
         : level <= spdlog::level::debug ? LogLevel::kDebug
                                         : LogLevel::kInfo;
}

class LoggerSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit LoggerSink(Logger log) : log_(std::move(log)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string_view name(message.logger_name.data(), message.logger_name.size());
    const std::string_view text(message.payload.data(), message.payload.size());
    if (log_)
      log_(LevelOf(message.level),
           name.empty() ? std::string(text) : "[" + std::string(name) + "] " + std::string(text));
  }
  void flush_() override {}
  const Logger log_;
};

std::shared_ptr<spdlog::logger> MakeLogger(Logger log) {
  auto logger = std::make_shared<spdlog::logger>("", std::make_shared<LoggerSink>(std::move(log)));
  logger->set_level(spdlog::level::debug);
  return logger;
}

template <class T>
T Require(Result<T> result) {
  if (!result.ok()) throw std::invalid_argument(result.status().text());
  return std::move(*result);
}

// Builds a whole configuration around the caller's sections, so that the parser of configuration files checks them.
config::Config Read(std::string_view relay, const std::map<std::string, std::string>& kafka) {
  const auto section = nlohmann::json::parse(relay, nullptr, /*allow_exceptions=*/false);
  if (!section.is_object()) throw std::invalid_argument("the configuration of the relay is not a JSON object");
  nlohmann::json whole{{"storage", {{"plugin", "own"}}}, {"relay", section}};
  if (kafka.empty()) {
    whole["publisher"] = {{"type", "stdout"}};
  } else {
    whole["publisher"] = {{"type", "kafka"}, {"kafka", kafka}};
  }
  return Require(config::Parse(whole.dump(2), "relay", kafka::GetPropertyPolicy()));
}

}  // namespace

Storage Storage::Plugin(std::string name, std::string options, std::string file) {
  Storage storage;
  storage.name_ = std::move(name);
  storage.options_ = std::move(options);
  storage.file_ = std::move(file);
  return storage;
}

Publisher Publisher::Kafka(std::map<std::string, std::string> properties) {
  Publisher publisher;
  publisher.kafka_ = std::move(properties);
  return publisher;
}

Publisher Publisher::FromSender(std::shared_ptr<Sender> sender) {
  Publisher publisher;
  publisher.sender_ = std::move(sender);
  return publisher;
}

class Relay::Impl {
 public:
  Impl(std::string_view config, const Storage& storage, const Publisher& publisher, Logger log)
      : logger_(MakeLogger(std::move(log))), config_(Read(config, publisher.kafka_)) {
    if (!publisher.sender_ && publisher.kafka_.empty())
      throw std::invalid_argument("the publisher has neither a sender nor properties for Kafka");
    for (const std::string& warning : config_.warnings) logger_->warn("{}", warning);
    relay_ = std::make_unique<runtime::Relay>(config_.relay, Open(storage), Publishers(publisher), logger_);
  }

  void Start() {
    const std::scoped_lock lock(mutex_);
    if (started_) throw std::logic_error("the relay was already started; create another one");
    if (const Status status = relay_->Start(); !status.ok()) {
      if (status.code() == kShortage) throw std::runtime_error(status.text());
      throw std::invalid_argument(status.text());
    }
    started_ = true;
  }

  bool Stop(Millis timeout) {
    const std::scoped_lock lock(mutex_);
    if (!started_) return true;
    if (!stopped_) stopped_ = relay_->Stop(timeout);
    return *stopped_;
  }

  std::optional<std::string> Wait() {
    const Status status = relay_->Wait();
    return status.ok() ? std::nullopt : std::optional(status.text());
  }

 private:
  std::shared_ptr<storage::Store> Open(const Storage& storage) {
    if (storage.table_ != nullptr) return Require(storage::Store::Adopt(storage.table_, storage.make_, logger_));
    // The section "record" says how captured rows become records, and only the daemon reads it.
    if (const auto options = nlohmann::json::parse(storage.options_, nullptr, /*allow_exceptions=*/false);
        options.is_object() && options.contains("capture"))
      throw std::invalid_argument(
          "the storage options contain \"capture\": only the program outbox-relay can deliver rows of another table");
    const auto table = Require(storage::Load(storage.name_, storage::DefaultSearchPath(storage.file_)));
    return Require(storage::Store::Open(table, storage.options_, logger_));
  }

  publisher::PublisherFactory Publishers(const Publisher& publisher) {
    if (publisher.sender_) {
      return [sender = publisher.sender_](
                 publisher::PublisherListener& listener) -> Result<std::unique_ptr<publisher::Publisher>> {
        return MakeSenderPublisher(listener, sender);
      };
    }
    return kafka::MakeKafkaPublishers(config_, logger_);
  }

  const std::shared_ptr<spdlog::logger> logger_;
  const config::Config config_;
  std::mutex mutex_;
  bool started_ = false;
  std::optional<bool> stopped_;
  std::unique_ptr<runtime::Relay> relay_;
};

Relay::Relay(std::string_view config, const Storage& storage, const Publisher& publisher, Logger logger)
    : impl_(std::make_unique<Impl>(config, storage, publisher, std::move(logger))) {}
Relay::~Relay() = default;
void Relay::Start() { impl_->Start(); }
bool Relay::Stop(Millis timeout) { return impl_->Stop(timeout); }
std::optional<std::string> Relay::Wait() { return impl_->Wait(); }

}  // namespace outbox::embed
