#include "kafka/settings.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "kafka/property_policy.hpp"
#include "kafka/tls_files.hpp"
#include "util/log.hpp"
#include "util/shortage.hpp"

namespace outbox::kafka {
namespace {

// The largest message.max.bytes that librdkafka allows. The relay checks the limit of each topic itself.
constexpr std::int64_t kNoMessageLimit = 1'000'000'000;

constexpr std::int64_t kFirstReconnect = 100;  // ms; librdkafka's own default
constexpr std::int64_t kMaxReconnect = 1000;   // ms; librdkafka's own default is 10 s

Status Set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  std::array<char, 512> text{};
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), text.data(), text.size()) == RD_KAFKA_CONF_OK) return {};
  return {OUTBOX_BAD_CONFIG, "publisher.kafka: \"" + name + "\": " + text.data()};
}

Status SetAll(rd_kafka_conf_t* conf, const std::map<std::string, std::string>& properties) {
  for (const auto& [name, value] : properties) {
    if (Status set = Set(conf, name, value); !set.ok()) return set;
  }
  return {};
}

std::int64_t Number(const std::map<std::string, std::string>& properties, const std::string& name,
                    std::int64_t otherwise) {
  const auto found = properties.find(name);
  std::int64_t value = otherwise;
  if (found != properties.end()) {
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), value);
  }
  return value;
}

Result<ConfPtr> MakeConf(const Settings& settings, const std::map<std::string, std::string>& kind) {
  for (const auto& [name, value] : settings.properties) {
    if (const auto why = WhyRefused(name))
      return Status(OUTBOX_BAD_CONFIG, "publisher.kafka: \"" + name + "\" must be left out: " + *why);
  }
  ConfPtr conf(rd_kafka_conf_new());
  const std::map<std::string, std::string> defaults = {
      {"client.id", "outbox-relay"},
      {"linger.ms", "1"},
      // The backoff is short so that the relay soon notices that a broker is available again. The relay has only few
      // connections, so the attempts cost little.
      {"reconnect.backoff.max.ms", std::to_string(LongestReconnect(settings).count())},
      // If no record waits for an answer, only this timeout ends a connection whose peer has vanished.
      {"socket.timeout.ms", std::to_string(std::min<std::int64_t>(settings.delivery_timeout.count() + 1000, 300'000))},
      // With this value, an address that drops all packets is reported no later than a peer that does not answer
      // (api.version.request.timeout.ms).
      {"socket.connection.setup.timeout.ms", "10000"},
      {"socket.keepalive.enable", "true"},
      {"socket.nagle.disable", "true"},
      {"message.max.bytes", std::to_string(kNoMessageLimit)},
  };
  const std::int64_t queue_kbytes =
      (2 * static_cast<std::int64_t>(std::min<std::uint64_t>(settings.window_bytes, std::uint64_t{1} << 40)) +
       kNoMessageLimit) /
      1024;
  const std::map<std::string, std::string> promises = {
      {"acks", "all"},
      {"message.timeout.ms", "0"},
      // From time to time the library queries every topic that it knows, including deleted topics. These queries must
      // not create topics. kafka/topic_creator.hpp requests the topics that events need.
      {"allow.auto.create.topics", "false"},
      {"queue.buffering.max.messages", std::to_string(2 * std::int64_t{settings.window_events} + 10'000)},
      {"queue.buffering.max.kbytes", std::to_string(std::min<std::int64_t>(queue_kbytes, 2'147'483'647))},
  };
  for (const auto* properties : {&defaults, &settings.properties, &promises, &kind}) {
    if (Status set = SetAll(conf.get(), *properties); !set.ok()) return set;
  }
  return conf;
}

}  // namespace

Settings ToSettings(const config::Config& config) {
  const config::Publisher& publisher = config.publisher;
  return {.properties = publisher.kafka,
          .strict = publisher.strict,
          .window_events = config.relay.max_in_flight_events,
          .window_bytes = config.relay.max_in_flight_bytes,
          .delivery_timeout = config.relay.delivery_timeout,
          .headers = publisher.strict_headers ? publisher::HeaderValues::kStrict : publisher::HeaderValues::kAsText,
          .properties_now = publisher.kafka_now,
          .secret_problems = [secrets = publisher.secrets] { return secrets->TakeProblems(); },
          .clean = [secrets = publisher.secrets](std::string_view text) { return secrets->Clean(text); }};
}

Result<ConfPtr> MakeProducerConf(const Settings& settings, std::int64_t max_batch_bytes) {
  const std::int64_t batch_bytes =
      std::max<std::int64_t>(1, std::min(max_batch_bytes, Number(settings.properties, "batch.size", kBatchBytes)));
  return MakeConf(settings, {{"enable.idempotence", "true"},
                             {"enable.gapless.guarantee", "true"},
                             {"max.in.flight", settings.strict ? "1" : "5"},
                             {"batch.size", std::to_string(batch_bytes)}});
}

Result<ConfPtr> MakeTrialConf(const Settings& settings) {
  return MakeConf(settings, {{"enable.idempotence", "false"},
                             {"enable.gapless.guarantee", "false"},
                             {"max.in.flight", "50"},
                             {"batch.num.messages", "1"},
                             {"linger.ms", "0"}});
}

bool MayCreateTopics(const Settings& settings) {
  const auto wanted = settings.properties.find("allow.auto.create.topics");
  if (wanted == settings.properties.end()) return true;
  // The test is the same as in librdkafka, where "False", "f" and "0" are false as well.
  return wanted->second.empty() || std::string_view("fF0").find(wanted->second[0]) == std::string_view::npos;
}

Result<ConfPtr> MakePlainConf(const std::map<std::string, std::string>& properties) {
  ConfPtr conf(rd_kafka_conf_new());
  if (Status set = Set(conf.get(), "client.id", "outbox-relay"); !set.ok()) return set;
  if (Status set = SetAll(conf.get(), properties); !set.ok()) return set;
  return conf;
}

std::uint64_t MaxMessageBytes(const Settings& settings) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, Number(settings.properties, "message.max.bytes", 0)));
}

std::chrono::milliseconds FirstReconnect(const Settings& settings) {
  return std::chrono::milliseconds(Number(settings.properties, "reconnect.backoff.ms", kFirstReconnect));
}

std::chrono::milliseconds LongestReconnect(const Settings& settings) {
  const std::int64_t usual = std::max(kMaxReconnect, Number(settings.properties, "reconnect.backoff.ms", 0));
  return std::chrono::milliseconds(Number(settings.properties, "reconnect.backoff.max.ms", usual));
}

std::chrono::milliseconds TopicRefreshInterval(const Settings& settings) {
  constexpr std::int64_t kFiveMinutes = 300'000;
  const std::int64_t wanted = Number(settings.properties, "topic.metadata.refresh.interval.ms", kFiveMinutes);
  return std::chrono::milliseconds(wanted > 0 ? wanted : kFiveMinutes);
}

Result<HandlePtr> MakeHandle(rd_kafka_type_t type, ConfPtr conf) {
  std::array<char, 512> text{};
  HandlePtr handle(rd_kafka_new(type, conf.get(), text.data(), text.size()));
  if (handle == nullptr) {
    const bool shortage =
        rd_kafka_last_error() == RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE || MentionsShortage(text.data());
    if (Status files = shortage ? Status() : TlsFileTrouble(conf.get()); !files.ok()) return files;
    return Status(shortage ? kShortage : outbox_code{OUTBOX_BAD_CONFIG},
                  (shortage ? "Kafka's client: " : "publisher.kafka: ") + std::string(text.data()));
  }
  static_cast<void>(conf.release());  // rd_kafka_new has taken over the configuration
  return handle;
}

void Log(spdlog::logger& logger, int level, const char* facility, const char* text) {
  const std::string_view about(facility);
  // A refused certificate (SSLCERTVRFY) is reported as the state of the broker. The library retries a failed request
  // for a producer id (GETPID), for example while a cluster loads its coordinators, and reports a final failure as an
  // error.
  const bool is_reported = about == "FAIL" || about == "ERROR" || about == "FATAL" || about == "CONFWARN" ||
                           about == "TERMINATE" || about == "REQTMOUT" || about == "SSLCERTVRFY" || about == "GETPID";
  auto as = util::LogLevel::kDebug;
  if (!is_reported && level <= 3) as = util::LogLevel::kError;
  if (!is_reported && level == 4) as = util::LogLevel::kWarning;
  util::Log(logger, as, "librdkafka {}: {}", facility, text);
}

}  // namespace outbox::kafka
