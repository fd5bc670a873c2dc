#include "config/load.hpp"

#include <arpa/inet.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "config/document.hpp"
#include "config/effective.hpp"
#include "config/kafka_properties.hpp"
#include "config/secrets.hpp"
#include "config/section.hpp"
#include "config/units.hpp"

namespace outbox::config {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr std::size_t kMaxFile = std::size_t{1} << 20;
constexpr std::size_t kMaxName = 128;
constexpr std::size_t kMaxTopics = 1000;

bool IsPluginName(const std::string& name) {
  return !name.empty() && name.size() <= kMaxName && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

bool IsPrintable(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

// What no topic's name can have would never fit; as a regular expression it may look as if it did.
bool IsTopicPattern(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("._-*?").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

void ReadStorage(Section section, Storage& out) {
  section.Read("plugin", out.plugin);
  if (!IsPluginName(out.plugin)) {
    section.Wrong(
        "plugin",
        "the name of a storage plugin, such as \"postgres\" or \"sqlite\"; `outbox-relay plugins` lists them");
  }
  section.Read("plugin_path", out.plugin_path);
  if (!out.plugin_path.empty() && !std::filesystem::path(out.plugin_path).is_absolute()) {
    section.Wrong("plugin_path", "the absolute path of a file, or \"\" to search by name");
  }
  Section options = section.Sub("options");
  out.options = options.object().dump();
  section.Finish();
}

void ReadKafka(Section section, bool required, std::map<std::string, std::string>& out) {
  for (const auto& [name, unused] : section.object().items()) {
    const json* value = section.Find(name);
    if (value == nullptr) continue;
    if (value->is_structured() || value->is_null()) {
      section.Wrong(name, "a text, a number, true or false");
      continue;
    }
    const std::string text = value->is_string() ? value->get<std::string>() : value->dump();
    const bool literal = *section.Raw(name) == *value;
    if (const std::string problem = KafkaPropertyProblem(name, text, literal); !problem.empty()) {
      section.Complain(name, problem);
    } else {
      out.emplace(name, text);
    }
  }
  if (required && out["bootstrap.servers"].empty()) {
    section.Wrong("bootstrap.servers", "the brokers to ask first, such as \"kafka1:9092,kafka2:9092\"");
  }
}

void ReadPublisher(Section section, Publisher& out) {
  section.ReadChoice<std::string>("type", out.type, {{"kafka", "kafka"}, {"stdout", "stdout"}});
  section.Read("strict", out.strict);
  ReadKafka(section.Sub("kafka"), out.type == "kafka", out.kafka);
  section.Finish();
}

// What is right by itself but not together.
void CheckRelations(Section& section, const Relay& relay) {
  if (relay.batch_size > relay.max_in_flight_events / 2) {
    section.Complain("batch_size", std::to_string(relay.batch_size) + " is more than half of max_in_flight_events (" +
                                       std::to_string(relay.max_in_flight_events) +
                                       "); there must be room for two batches, one to read and one to send");
  }
  if (relay.poll_interval > relay.reserve_duration / 2) {
    section.Complain("poll_interval", "\"" + Write(relay.poll_interval) +
                                          "\" is more than half of reserve_duration (\"" +
                                          Write(relay.reserve_duration) +
                                          "\"); an idle relay would lose its reservation between two looks");
  }
}

// What is absent stays as it is in `out`.
void ReadFailures(Section& section, FailurePolicy& out) {
  section.Read("max_attempts", out.max_attempts, 1, 1'000'000);
  section.ReadChoice<OnExhausted>("on_exhausted", out.on_exhausted,
                                  {{"block", OnExhausted::kBlock}, {"dead_letter", OnExhausted::kDeadLetter}});
  section.Read("retry_backoff", out.retry_backoff, 1ms, 24h);
  section.Read("max_retry_backoff", out.max_retry_backoff, 1ms, 7 * 24h);
  const bool said = section.Raw("retry_backoff") != nullptr || section.Raw("max_retry_backoff") != nullptr;
  if (said && out.retry_backoff > out.max_retry_backoff) {
    section.Complain("retry_backoff", "\"" + Write(out.retry_backoff) + "\" is more than max_retry_backoff (\"" +
                                          Write(out.max_retry_backoff) + "\"), up to which it grows");
  }
}

void ReadTopics(Section& relay, Relay& out) {
  for (Section& section : relay.List("topics", kMaxTopics)) {
    TopicPolicy policy{"", out.failures};
    section.Read("topic", policy.pattern);
    if (!IsTopicPattern(policy.pattern)) {
      section.Wrong("topic",
                    "the name of a topic (letters, digits, . _ -); * in it stands for any characters, ? for one");
    }
    ReadFailures(section, policy.failures);
    section.Finish();
    out.topics.push_back(std::move(policy));
  }
}

bool IsListenAddress(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return false;
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, port);
  if (error != std::errc() || rest != end) return false;
  const std::string host = text.substr(0, colon);
  in6_addr address{};
  if (inet_pton(AF_INET, host.c_str(), &address) == 1) return true;
  return host.size() > 2 && host.front() == '[' && host.back() == ']' &&
         inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &address) == 1;
}

void ReadListenAddress(Section& section, const char* key, std::string& out, const std::string& example,
                       const std::string& none) {
  section.Read(key, out);
  if (out.empty() || IsListenAddress(out)) return;
  section.Wrong(key, "an address of this machine in numbers and a port, such as \"127.0.0.1:" + example +
                         "\" or \"[::1]:" + example + "\", where port 0 is any that is free, or \"\" for " + none);
}

void ReadRelay(Section section, Relay& out) {
  section.Read("id", out.id);
  if (out.id.size() > kMaxName || !IsPrintable(out.id))
    section.Wrong("id", "up to 128 printable ASCII characters without blanks");
  section.Read("batch_size", out.batch_size, 1, 100'000);
  section.Read("reserve_duration", out.reserve_duration, 2s, 1h);
  section.Read("poll_interval", out.poll_interval, 1ms, 30min);
  section.Read("wake_up", out.wake_up);
  ReadListenAddress(section, "hints", out.hints, "9310", "no hints");
  section.ReadChoice<Ordering>("ordering", out.ordering, {{"key", Ordering::kKey}, {"none", Ordering::kNone}});
  section.Read("max_in_flight_events", out.max_in_flight_events, 2, 10'000'000);
  section.ReadSize("max_in_flight_bytes", out.max_in_flight_bytes, std::uint64_t{64} << 10, std::uint64_t{1} << 40);
  if (out.ordering == Ordering::kNone) out.failures.on_exhausted = OnExhausted::kDeadLetter;
  ReadFailures(section, out.failures);
  ReadTopics(section, out);
  section.Read("delivery_timeout", out.delivery_timeout, 1s, 1h);
  section.Read("storage_timeout", out.storage_timeout, 100ms, 1h);
  section.Read("shutdown_timeout", out.shutdown_timeout, 100ms, 1h);
  CheckRelations(section, out);
  section.Finish();
}

void ReadHttp(Section section, Http& out) {
  ReadListenAddress(section, "listen", out.listen, "9464", "no HTTP");
  section.Read("refresh_interval", out.refresh_interval, 100ms, 1h);
  section.Finish();
}

void ReadLog(Section section, Log& out) {
  section.ReadChoice<std::string>(
      "level", out.level,
      {{"trace", "trace"}, {"debug", "debug"}, {"info", "info"}, {"warn", "warn"}, {"error", "error"}, {"off", "off"}});
  section.ReadChoice<std::string>("format", out.format, {{"auto", "auto"}, {"text", "text"}, {"json", "json"}});
  section.Finish();
}

Status Bad(const std::string& text) { return {OUTBOX_BAD_CONFIG, text}; }

}  // namespace

Result<Config> Parse(std::string_view text, const std::filesystem::path& origin) {
  Problems problems(origin.string());
  const json raw = ParseDocument(text, problems);
  if (!problems.empty()) return Bad(problems.Text());
  if (!raw.is_object()) {
    problems.Add("", "the configuration must be an object { ... }");
    return Bad(problems.Text());
  }
  const json filled = FillIn(raw, origin.parent_path(), problems);

  Config config;
  Section root(&filled, &raw, "", problems);
  ReadStorage(root.Sub("storage"), config.storage);
  ReadPublisher(root.Sub("publisher"), config.publisher);
  ReadRelay(root.Sub("relay"), config.relay);
  ReadHttp(root.Sub("http"), config.http);
  ReadLog(root.Sub("log"), config.log);
  root.Finish();
  if (!problems.empty()) return Bad(problems.Text());

  config.effective_json = EffectiveJson(config, raw);
  config.literal_secrets = LiteralSecrets(raw);
  return config;
}

Result<Config> Load(const std::filesystem::path& file) {
  const std::string name = file.string();
  struct stat info {};
  if (stat(file.c_str(), &info) != 0) {
    const std::error_code reason(errno, std::generic_category());
    return Bad(name + ": cannot read the configuration: " + reason.message() +
               "; name the file with --config FILE or OUTBOX_RELAY_CONFIG");
  }
  if (S_ISDIR(info.st_mode)) return Bad(name + ": is a directory; name the file in it");
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    const std::error_code reason(errno, std::generic_category());
    return Bad(name + ": cannot read the configuration: " + reason.message());
  }
  std::string text(kMaxFile + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > kMaxFile) return Bad(name + ": is larger than 1 MiB; is it the configuration?");

  Result<Config> config = Parse(text, file);
  if (!config.ok()) return config;
  if ((info.st_mode & (S_IRGRP | S_IROTH)) != 0 && !config->literal_secrets.empty()) {
    std::string places;
    for (const std::string& place : config->literal_secrets) places += (places.empty() ? "" : ", ") + place;
    config->warnings.push_back(name + " can be read by other users and holds secrets in plain text (" + places +
                               "); chmod 600 it, or write ${env:NAME} or ${file:PATH} instead");
  }
  return config;
}

}  // namespace outbox::config
