// The whole configuration, typed, with its defaults. docs/guide/outbox-relay.reference.jsonc says what each key does.
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
  std::string plugin_path;     // a file; "" = search by name
  std::string options = "{}";  // JSON object text, with marks of `secrets`: the plugin's own business
  std::shared_ptr<Secrets> secrets = std::make_shared<Secrets>();
};

struct Plugins {
  std::vector<std::string> trusted_owners;  // names or numbers of users
};

struct Publisher {
  std::string type = "kafka";                // or "stdout"
  bool strict = false;                       // one request in flight
  bool strict_headers = false;               // numbers, true and false in headers are refused, not written as text
  std::map<std::string, std::string> kafka;  // librdkafka properties, checked against the allow-list
  // The same with the secrets as they are now. Files are read again; where that gives no valid property, all stay.
  std::function<std::map<std::string, std::string>()> kafka_now;
  std::shared_ptr<Secrets> secrets = std::make_shared<Secrets>(Secrets::Hides::kGivenOnly);
};

struct FailurePolicy {
  std::uint32_t max_attempts = 10;
  OnExhausted on_exhausted = OnExhausted::kBlock;  // default with ordering none: kDeadLetter
  Duration retry_backoff{1'000};                   // doubles with each attempt, with jitter, up to
  Duration max_retry_backoff{300'000};
};

struct TopicPolicy {
  std::string pattern;  // * = any characters, ? = one
  FailurePolicy failures;
};

struct Relay {
  std::string id;  // "" = host name, process id and a random part
  std::uint32_t batch_size = 1000;
  Duration reserve_duration{15'000};
  Duration poll_interval{250};
  bool wake_up = false;
  std::string hints;  // "ADDRESS:PORT" for datagrams of applications; "" = none
  Ordering ordering = Ordering::kKey;
  std::uint32_t max_in_flight_events = 20'000;
  std::uint64_t max_in_flight_bytes = std::uint64_t{32} << 20;
  FailurePolicy failures;
  std::vector<TopicPolicy> topics;    // the first that fits takes the place of `failures`
  Duration delivery_timeout{30'000};  // no answer to a record for so long: give up the connection and send again
  Duration storage_timeout{10'000};   // one call to the database
  Duration shutdown_timeout{10'000};

  // JSON pointer of the first on_exhausted that does; "" = none.
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
  std::string format = "auto";  // text on a terminal, json otherwise
};

struct Http {
  std::string listen;                 // "ADDRESS:PORT"; "" = no HTTP
  Duration refresh_interval{10'000};  // between two looks at the tables
};

struct Config {
  Storage storage;
  Record record;
  Plugins plugins;
  Publisher publisher;
  Relay relay;
  Http http;
  Log log;
  std::string effective_json;                // every key with its value, secrets hidden; logged at start
  std::vector<std::string> literal_secrets;  // JSON pointers of values that hold a secret in plain text
  std::vector<std::string> warnings;         // for the log at start
};

}  // namespace outbox::config
