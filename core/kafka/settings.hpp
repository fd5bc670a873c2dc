// The settings from which Kafka clients are made.
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
  // The librdkafka properties as the user wrote them, after the checks of kafka/property_policy.hpp.
  Properties properties;
  // True if at most one request may be in flight per connection.
  bool strict = false;
  // The limits of the engine's window, in events and in bytes. librdkafka's queue is made larger than the window, so
  // that sending never fails because the queue is full.
  std::uint32_t window_events = 20'000;
  std::uint64_t window_bytes = std::uint64_t{32} << 20;
  // The time that the engine waits for the answer to a sent event. Other requests to a broker are given up a second
  // later, but after five minutes at the latest.
  std::chrono::milliseconds delivery_timeout{30'000};
  publisher::HeaderValues headers = publisher::HeaderValues::kAsText;
  // Returns the properties with the current secrets. An empty function means that the secrets cannot change.
  std::function<Properties()> properties_now;
  // Returns why secrets could not be read again, each reason once. An empty function means that the secrets cannot
  // change.
  std::function<std::vector<std::string>()> secret_problems;
  // Removes secrets from a text of librdkafka. An empty function means that there are no secrets.
  std::function<std::string(std::string_view)> clean;

  // Returns the value of bootstrap.servers; "" if it is not set.
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

// Returns the settings that follow from the configuration. Secrets are read again each time that they are needed.
[[nodiscard]] Settings ToSettings(const config::Config& config);

// Maximum size of a batch of records that is sent in one request, in bytes. The user's properties or the limit of a
// topic may lower the maximum.
inline constexpr std::int64_t kBatchBytes = 1'000'000;

// Makes the configuration of a producer: defaults, then the user's properties, then the properties on which the relay's
// guarantees depend. Errors: OUTBOX_BAD_CONFIG, with the name of the property and librdkafka's text, if a property is
// unknown, cannot have this value, or may be set only by the relay.
[[nodiscard]] Result<ConfPtr> MakeProducerConf(const Settings& settings, std::int64_t max_batch_bytes);

// Makes the configuration of a producer for trials: one record per request, without idempotence and without a
// guaranteed order. Errors: those of MakeProducerConf.
[[nodiscard]] Result<ConfPtr> MakeTrialConf(const Settings& settings);

// True if the relay may ask a broker to create a topic that an event names: the property allow.auto.create.topics, by
// default true.
[[nodiscard]] bool MayCreateTopics(const Settings& settings);

// Makes the configuration of a client that queries the cluster, from the user's properties only. Properties that
// concern only producing have no effect on such a client.
[[nodiscard]] Result<ConfPtr> MakePlainConf(const std::map<std::string, std::string>& properties);

// Returns the user's message.max.bytes; 0 if it is not set.
[[nodiscard]] std::uint64_t MaxMessageBytes(const Settings& settings);

// Return the time that a client waits before it connects to a broker again: FirstReconnect() returns the initial time
// (reconnect.backoff.ms, by default 100 ms), LongestReconnect() the longest (reconnect.backoff.max.ms, by default 1 s).
[[nodiscard]] std::chrono::milliseconds FirstReconnect(const Settings& settings);
[[nodiscard]] std::chrono::milliseconds LongestReconnect(const Settings& settings);

// Returns the interval at which known topics are queried again: topic.metadata.refresh.interval.ms, by default 5
// minutes.
[[nodiscard]] std::chrono::milliseconds TopicRefreshInterval(const Settings& settings);

// Makes a client, which takes over the configuration. Errors: OUTBOX_BAD_CONFIG or kShortage, with librdkafka's text.
[[nodiscard]] Result<HandlePtr> MakeHandle(rd_kafka_type_t type, ConfPtr conf);

// Writes a line of librdkafka's log to the relay's log. Lines about connections are written at the level debug, because
// changes of the broker's state are reported once, by OnBrokerState.
void Log(spdlog::logger& logger, int level, const char* facility, const char* text);

}  // namespace outbox::kafka
