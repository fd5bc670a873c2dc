#include "config/load.hpp"

#include <arpa/inet.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <system_error>

#include "config/broker_list.hpp"
#include "config/document.hpp"
#include "config/effective.hpp"
#include "config/load_record.hpp"
#include "config/secrets.hpp"
#include "config/section.hpp"
#include "config/units.hpp"
#include "outbox/plugin.h"
#include "util/listen.hpp"
#include "util/plugin_name.hpp"
#include "util/shortage.hpp"

namespace outbox::config {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr std::size_t kMaxId = 128;
constexpr std::size_t kMaxFile = std::size_t{1} << 20;
constexpr std::size_t kMaxTopics = 1000;
constexpr std::size_t kMaxOwners = 100;

bool IsPrintable(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

// Returns false for a pattern with characters that no topic name can contain. Such a pattern never matches, and is
// probably meant as a regular expression.
bool IsTopicPattern(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("._-*?").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

void ReadStorage(Section section, const json& marked, Storage& out) {
  section.Read("plugin", out.plugin);
  if (!util::IsPluginName(out.plugin)) {
    section.Wrong(
        "plugin",
        "the name of a storage plugin, such as \"postgres\" or \"sqlite\"; `outbox-relay plugins` lists them");
  }
  section.Read("plugin_path", out.plugin_path);
  if (!out.plugin_path.empty() && !std::filesystem::path(out.plugin_path).is_absolute()) {
    section.Wrong("plugin_path", "the absolute path of a file, or \"\" to search by name");
  }
  const Section options = section.Sub("options");
  const auto found = marked.find("options");
  out.options = found == marked.end() || !found->is_object() ? "{}" : found->dump();
  section.Finish();
}

void ReadPlugins(Section section, Plugins& out) {
  const char* const key = "trusted_owners";
  if (const json* owners = section.Find(key); owners != nullptr) {
    const auto is_owner = [](const json& owner) {
      return owner.is_string() ? !owner.get_ref<const std::string&>().empty()
                               : owner.is_number_unsigned() && owner.get<std::uint64_t>() < UINT32_MAX;
    };
    const auto bad = std::find_if_not(owners->begin(), owners->end(), is_owner);
    if (!owners->is_array() || owners->size() > kMaxOwners) {
      section.Wrong(key, "a list of at most 100 users, by name or number, such as [\"deploy\", 1000]");
    } else if (bad != owners->end()) {
      section.WrongAt(key, static_cast<std::size_t>(bad - owners->begin()),
                      "a user, by name or number, such as \"deploy\" or 1000");
    } else {
      for (const json& owner : *owners)
        out.trusted_owners.push_back(owner.is_string() ? owner.get<std::string>() : owner.dump());
    }
  }
  section.Finish();
}

// Returns the reason why a secret must not be a part of this value, or an empty string. A property with separators is a
// list without quoting, so a secret inside the list must not contain a separator.
std::string EmbeddingProblem(const PropertyPolicy& policy, const std::string& name, const std::string& marked,
                             const Secrets& secrets, const Secrets::Values& values) {
  const std::string_view separators = policy.Separators(name);
  const auto found = secrets.In(marked, values);
  if (separators.empty() || (found.size() == 1 && marked.size() == OUTBOX_SECRET_MARK_SIZE)) return {};
  for (const auto& [reference, value] : found) {
    if (value.find_first_of(separators) == std::string::npos) continue;
    return "the value of " + reference + " contains a character that separates the parts of this property; make the " +
           "reference the whole value";
  }
  return {};
}

// Makes `secrets` hide those parts of a property's value that messages must not show. For some lists, the client
// library's messages quote a single entry. Clean() would not recognise an entry as a part of the secret, so for these
// lists the whole value and its parts are hidden. A path is shown as the configuration has it, with the reference in
// place of the value, so that a message still names the file.
void KeepOut(const PropertyPolicy& policy, const std::string& name, const std::string& marked, const std::string& value,
             Secrets& secrets, const Secrets::Values& values) {
  const bool quoted = name == "ssl.curves.list" || name == "ssl.cipher.suites" || name == "ssl.sigalgs.list";
  if (policy.IsSecret(name) || (quoted && !secrets.In(marked, values).empty())) return secrets.Hide(value);
  if (name.ends_with(".location")) secrets.ShowAsWritten(marked, values);
}

// Fills the current values of the secrets into Kafka's properties, and falls back to the last valid properties if a new
// value is not allowed. Thread: any.
class CurrentKafka {
 public:
  CurrentKafka(const PropertyPolicy& policy, std::map<std::string, std::string> marked,
               std::map<std::string, std::string> last, std::shared_ptr<Secrets> secrets)
      : policy_(policy), marked_(std::move(marked)), last_(std::move(last)), secrets_(std::move(secrets)) {}

  std::map<std::string, std::string> Now() {
    const std::lock_guard lock(mutex_);
    const Secrets::Values values = secrets_->Reread();
    std::map<std::string, std::string> now;
    for (const auto& [name, text] : marked_) {
      std::string value = secrets_->Fill(text, values);
      KeepOut(policy_, name, text, value, *secrets_, values);
      std::string problem = EmbeddingProblem(policy_, name, text, *secrets_, values);
      if (problem.empty()) problem = policy_.Problem(name, value, /*show_value=*/false);
      if (!problem.empty()) {
        problem = "/publisher/kafka/" + name + ": " + problem;
        if (std::exchange(problem_, problem) != problem) secrets_->Complain(std::move(problem));
        return last_;
      }
      now.emplace(name, std::move(value));
    }
    problem_.clear();
    return last_ = std::move(now);
  }

 private:
  const PropertyPolicy& policy_;
  std::mutex mutex_;
  const std::map<std::string, std::string> marked_;
  std::map<std::string, std::string> last_;
  std::string problem_;  // The latest problem, which was reported once; "" = there is none.
  const std::shared_ptr<Secrets> secrets_;
};

// Adds a problem if the protocol of a broker in the list is not security.protocol, because the client library stops
// reading the list at the first such broker.
void CheckProtocols(const PropertyPolicy& policy, Section& section, const std::map<std::string, std::string>& kafka) {
  const auto servers = kafka.find("bootstrap.servers");
  if (servers == kafka.end() || servers->second.find("://") == std::string::npos) return;
  const auto chosen = kafka.find("security.protocol");
  const std::string protocol =
      policy.AsUnderstood("security.protocol", chosen == kafka.end() ? "plaintext" : chosen->second);
  const bool literal = *section.Raw("bootstrap.servers") == servers->second;
  if (const std::string problem = BrokerListProblem(servers->second, protocol, literal); !problem.empty())
    section.Complain("bootstrap.servers", problem);
}

void ReadKafka(const PropertyPolicy& policy, Section section, const json& marked, bool required, Publisher& out) {
  std::map<std::string, std::string> with_marks;
  for (const auto& [name, unused] : section.object().items()) {
    const json* value = section.Find(name);
    if (value == nullptr) continue;
    if (value->is_structured() || value->is_null()) {
      section.Wrong(name, "a string, a number, true or false");
      continue;
    }
    const auto text_of = [](const json& j) { return j.is_string() ? j.get<std::string>() : j.dump(); };
    const std::string text = text_of(*value), with_mark = text_of(marked.at(name));
    const bool literal = *section.Raw(name) == *value;
    std::string problem = policy.Problem(name, text, literal);
    if (problem.empty()) problem = EmbeddingProblem(policy, name, with_mark, *out.secrets, out.secrets->Current());
    if (!problem.empty()) {
      section.Complain(name, problem);
      continue;
    }
    KeepOut(policy, name, with_mark, text, *out.secrets, out.secrets->Current());
    out.kafka.emplace(name, text);
    with_marks.emplace(name, with_mark);
  }
  if (required && out.kafka["bootstrap.servers"].empty()) {
    section.Wrong("bootstrap.servers", "the brokers to ask first, such as \"kafka1:9092,kafka2:9092\"");
  }
  CheckProtocols(policy, section, out.kafka);
  const auto current = std::make_shared<CurrentKafka>(policy, std::move(with_marks), out.kafka, out.secrets);
  out.kafka_now = [current] { return current->Now(); };
}

void ReadPublisher(const PropertyPolicy& policy, Section section, const json& marked, Publisher& out) {
  section.ReadChoice<std::string>("type", out.type, {{"kafka", "kafka"}, {"stdout", "stdout"}});
  section.Read("strict", out.strict);
  section.ReadChoice<bool>("headers", out.strict_headers, {{"text", false}, {"strict", true}});
  const auto kafka = marked.find("kafka");
  ReadKafka(policy, section.Sub("kafka"), kafka == marked.end() ? json::object() : *kafka, out.type == "kafka", out);
  section.Finish();
}

// Adds problems for values that are valid individually but contradict each other.
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
                                          "\"); an idle relay would lose its reservation between two polls");
  }
}

// Reads the failure policy of a section. A key that is absent leaves its value in `out` unchanged.
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
      section.Wrong(
          "topic", "the name of a topic (letters, digits, . _ -), in which * matches any characters and ? matches one");
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
  section.Wrong(key, "a numeric address of this machine and a port, such as \"127.0.0.1:" + example +
                         "\" or \"[::1]:" + example + "\", where port 0 is any free port, or \"\" for " + none);
}

void ReadRelay(Section section, Relay& out) {
  section.Read("id", out.id);
  if (out.id.size() > kMaxId || !IsPrintable(out.id))
    section.Wrong("id", "up to 128 printable ASCII characters without spaces");
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

// Returns the status for a file that cannot be read, by the errno value.
Status Unread(const std::string& text, int error) {
  return {IsShortage(error) ? kShortage : outbox_code{OUTBOX_BAD_CONFIG}, text};
}

}  // namespace

Result<Config> Parse(std::string_view text, const std::filesystem::path& origin, const PropertyPolicy& policy) {
  Problems problems(origin.string());
  const json raw = ParseDocument(text, problems);
  if (!problems.empty()) return Bad(problems.Text());
  if (!raw.is_object()) {
    problems.Add("", "the configuration must be an object { ... }");
    return Bad(problems.Text());
  }

  Config config;
  // The database and Kafka have separate Secrets: a secret of one is not hidden in messages about the other.
  json marked = raw, filled = raw;
  for (const auto& [key, value] : raw.items()) {
    Secrets& secrets = key == "storage" ? *config.storage.secrets : *config.publisher.secrets;
    marked[key] = MarkIn(value, Join("", key), origin.parent_path(), secrets, problems);
    filled[key] = FillIn(marked[key], secrets, secrets.Current());
  }
  const auto part = [&](const char* name) {
    const auto found = marked.find(name);
    return found == marked.end() || !found->is_object() ? json::object() : *found;
  };

  Section root(&filled, &raw, "", problems);
  ReadStorage(root.Sub("storage"), part("storage"), config.storage);
  ReadRecord(root.Sub("record"), text, config.record);
  CompleteRecord(config.record, config.storage, problems);
  ReadPlugins(root.Sub("plugins"), config.plugins);
  ReadPublisher(policy, root.Sub("publisher"), part("publisher"), config.publisher);
  ReadRelay(root.Sub("relay"), config.relay);
  ReadHttp(root.Sub("http"), config.http);
  ReadLog(root.Sub("log"), config.log);
  root.Finish();
  if (!problems.empty()) {
    // A secret's file that could not be opened because no descriptor was free is not a mistake in the configuration.
    const std::string wrong = problems.Text();
    return Status(MentionsShortage(wrong) ? kShortage : outbox_code{OUTBOX_BAD_CONFIG}, wrong);
  }

  if (!config.http.listen.empty() && util::IsPublic(config.http.listen))
    config.warnings.push_back("/http/listen: anybody who reaches this machine can read /metrics and /status at " +
                              config.http.listen +
                              " without a password; set an address of a private network or 127.0.0.1, or restrict "
                              "access with a firewall");
  config.effective_json = EffectiveJson(config, raw, policy);
  config.literal_secrets = LiteralSecrets(raw, policy);
  return config;
}

Result<Config> Load(const std::filesystem::path& file, const PropertyPolicy& policy) {
  const std::string name = file.string();
  struct stat info {};
  if (stat(file.c_str(), &info) != 0) {
    const std::error_code reason(errno, std::generic_category());
    return Unread(name + ": cannot read the configuration: " + reason.message() +
                      "; set the path with --config FILE or OUTBOX_RELAY_CONFIG",
                  reason.value());
  }
  if (S_ISDIR(info.st_mode)) return Bad(name + ": is a directory; expected a configuration file");
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    const std::error_code reason(errno, std::generic_category());
    return Unread(name + ": cannot read the configuration: " + reason.message(), reason.value());
  }
  std::string text(kMaxFile + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > kMaxFile) return Bad(name + ": is larger than 1 MiB; expected a configuration file");

  Result<Config> config = Parse(text, file, policy);
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
