// The whole configuration as typed values, with their defaults. docs/guide/outbox-relay.reference.jsonc describes each
// key.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/record.hpp"
#include "config/secret_values.hpp"

namespace outbox::config {

using Duration = std::chrono::milliseconds;

enum class Ordering { kKey, kNone };
enum class OnExhausted { kBlock, kDeadLetter };

struct Storage {
  std::string plugin;
  std::string plugin_path;     // Path of the plugin's file; "" = search by name.
  std::string options = "{}";  // Text of a JSON object, with marks of `secrets`. Only the plugin interprets it.
  std::shared_ptr<Secrets> secrets = std::make_shared<Secrets>();
};

struct Plugins {
  std::vector<std::string> trusted_owners;  // Names or numbers of users whose plugin files are loaded.
};

struct Publisher {
  std::string type = "kafka";   // "kafka" or "stdout".
  bool strict = false;          // True to keep only one request in flight.
  bool strict_headers = false;  // True to refuse numbers, true and false in headers; false to write them as text.
  std::map<std::string, std::string> kafka;  // librdkafka's properties, checked against the allow-list.
  // Returns `kafka` with the current values of the secrets; files are read again. If a value is not valid for its
  // property, all properties keep the values that were returned before.
  std::function<std::map<std::string, std::string>()> kafka_now;
  std::shared_ptr<Secrets> secrets = std::make_shared<Secrets>(Secrets::Hides::kGivenOnly);
};

struct FailurePolicy {
  std::uint32_t max_attempts = 10;
  OnExhausted on_exhausted = OnExhausted::kBlock;  // With ordering "none" the default is kDeadLetter.
  // The first backoff. It doubles with each attempt, with jitter, up to max_retry_backoff.
  Duration retry_backoff{1'000};
  Duration max_retry_backoff{300'000};
};

struct TopicPolicy {
  std::string pattern;  // The wildcard * matches any number of characters, ? matches one.
  FailurePolicy failures;
};

struct Relay {
  std::string id;  // "" = generated from host name, process id and a random part.
  std::uint32_t batch_size = 1000;
  Duration reserve_duration{15'000};
  Duration poll_interval{250};
  bool wake_up = false;
  std::string hints;  // "ADDRESS:PORT" on which datagrams of applications arrive; "" = none.
  Ordering ordering = Ordering::kKey;
  std::uint32_t max_in_flight_events = 20'000;
  std::uint64_t max_in_flight_bytes = std::uint64_t{32} << 20;
  FailurePolicy failures;
  std::vector<TopicPolicy> topics;  // The first policy that matches a topic replaces `failures` for that topic.
  // Time without an answer after which the relay gives up the connection and sends again.
  Duration delivery_timeout{30'000};
  Duration storage_timeout{10'000};  // Upper limit for one call to the database.
  Duration shutdown_timeout{10'000};

  // Returns the JSON pointer of the first on_exhausted that is "dead_letter"; "" = no on_exhausted is.
  [[nodiscard]] std::string AsksForDeadLetters() const {
    const auto asks = [](const FailurePolicy& p) { return p.on_exhausted == OnExhausted::kDeadLetter; };
    if (asks(failures)) return "/relay/on_exhausted";
    for (std::size_t i = 0; i < topics.size(); ++i)
      if (asks(topics[i].failures)) return "/relay/topics/" + std::to_string(i) + "/on_exhausted";
    return "";
  }
};

struct Log {
  std::string level = "info";
  std::string format = "auto";  // "auto" is text on a terminal and json otherwise.
};

struct Http {
  std::string listen;                 // "ADDRESS:PORT"; "" = no HTTP.
  Duration refresh_interval{10'000};  // Time between two reads of the tables.
};

struct Config {
  Storage storage;
  Record record;
  Plugins plugins;
  Publisher publisher;
  Relay relay;
  Http http;
  Log log;
  std::string effective_json;                // Every key with its value, secrets hidden; logged at start.
  std::vector<std::string> literal_secrets;  // JSON pointers of values that hold a secret in plain text.
  std::vector<std::string> warnings;         // Warnings that are logged at start.
};

}  // namespace outbox::config
