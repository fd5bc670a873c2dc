// What a Kafka client is made from.
#pragma once

#include <spdlog/fwd.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "kafka/rdkafka.hpp"
#include "publisher/headers.hpp"
#include "util/status.hpp"

namespace outbox::kafka {

using Properties = std::map<std::string, std::string>;

struct Settings {
  // librdkafka's own, as the user wrote them. kafka/property_policy.hpp has judged them.
  Properties properties;
  // One request in flight per connection.
  bool strict = false;
  // The engine's window. The library's queue is made larger, so that a full queue is never the limit.
  std::uint32_t window_events = 20'000;
  std::uint64_t window_bytes = std::uint64_t{32} << 20;
  // When the engine gives up what was sent. Whatever else is asked of a broker is given up soon after.
  std::chrono::milliseconds delivery_timeout{30'000};
  publisher::HeaderValues headers = publisher::HeaderValues::kAsText;
  // The properties with the secrets as they are now. Empty: they cannot change.
  std::function<Properties()> properties_now;
  // Why secrets could not be read again; each reason once. Empty: they cannot change.
  std::function<std::vector<std::string>()> secret_problems;
  // A text of librdkafka's without secrets in it. Empty: there are none.
  std::function<std::string(std::string_view)> clean;

  // "" if there is none.
  [[nodiscard]] std::string_view Servers() const {
    const auto servers = properties.find("bootstrap.servers");
    return servers == properties.end() ? std::string_view() : servers->second;
  }
  [[nodiscard]] Properties Now() const { return properties_now ? properties_now() : properties; }
  [[nodiscard]] std::vector<std::string> TakeSecretProblems() const {
    return secret_problems ? secret_problems() : std::vector<std::string>();
  }
  [[nodiscard]] std::string Clean(std::string_view text) const { return clean ? clean(text) : std::string(text); }
};

// What the configuration says, with the secrets as they are at each reading.
[[nodiscard]] Settings ToSettings(const config::Config& config);

// A batch of this size goes into one request, unless the user or a topic's own limit says less.
inline constexpr std::int64_t kBatchBytes = 1'000'000;

// Defaults, then the user's properties, then what the relay's promises rest on. OUTBOX_BAD_CONFIG, with the
// property's name and librdkafka's own words, where a property is unknown, has no such value, or is the relay's.
[[nodiscard]] Result<ConfPtr> MakeProducerConf(const Settings& settings, std::int64_t max_batch_bytes);

// The same for trials: one record to a request, no idempotence, no order.
[[nodiscard]] Result<ConfPtr> MakeTrialConf(const Settings& settings);

// May the broker be asked to create a topic that an event names: allow.auto.create.topics, by default yes.
[[nodiscard]] bool MayCreateTopics(const Settings& settings);

// For looking at the cluster: the user's properties only. Ignores those that are only for producing.
[[nodiscard]] Result<ConfPtr> MakePlainConf(const std::map<std::string, std::string>& properties);

// The user's message.max.bytes, or 0.
[[nodiscard]] std::uint64_t MaxMessageBytes(const Settings& settings);

// The time that a client waits before it connects to a broker again, at first and at most: reconnect.backoff.ms and
// reconnect.backoff.max.ms, by default 0.1 s and 1 s.
[[nodiscard]] std::chrono::milliseconds FirstReconnect(const Settings& settings);
[[nodiscard]] std::chrono::milliseconds LongestReconnect(const Settings& settings);

// How often what is known of topics is looked at again: topic.metadata.refresh.interval.ms, by default 5 minutes.
[[nodiscard]] std::chrono::milliseconds TopicRefreshInterval(const Settings& settings);

// Takes the configuration.
[[nodiscard]] Result<HandlePtr> MakeHandle(rd_kafka_type_t type, ConfPtr conf);

// librdkafka's log line to ours. What is about connections is for debugging only: the state of the broker is told
// once per change, in OnBrokerState.
void Log(spdlog::logger& logger, int level, const char* facility, const char* text);

}  // namespace outbox::kafka
