#include <nlohmann/json.hpp>

#include "config/effective.hpp"

#include <algorithm>
#include <string_view>

#include "config/document.hpp"
#include "config/load_record.hpp"
#include "config/secrets.hpp"
#include "config/units.hpp"

namespace outbox::config {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

const json* Find(const json& raw, const char* pointer) {
  const json::json_pointer place(pointer);
  return raw.contains(place) ? &raw.at(place) : nullptr;
}

// Returns a string of the document as it was written, so that a reference is shown and not its value. Returns `value`
// if the document does not contain the key. Passwords in the text are hidden.
std::string Written(const json& raw, const char* pointer, const std::string& value) {
  const json* written = Find(raw, pointer);
  return Redact(written == nullptr ? value : written->get<std::string>());
}

// Returns true for a text such as "principal=${env:NAME} scope=${env:OTHER}", which shows where secrets are stored but
// not their values.
bool HoldsReferencesOnly(std::string_view text) {
  bool any = false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (part.empty()) continue;
    if (!IsReference(part.substr(part.find('=') + 1))) return false;
    any = true;
  }
  return any;
}

json ShowKafka(const json& raw, const PropertyPolicy& policy) {
  json shown = json::object();
  if (const json* kafka = Find(raw, "/publisher/kafka")) {
    for (const auto& [name, value] : kafka->items()) {
      if (!policy.IsSecret(name)) {
        shown[name] = value;
      } else {
        const bool reference = value.is_string() && HoldsReferencesOnly(value.get_ref<const std::string&>());
        shown[name] = reference ? value : json(kHidden);
      }
    }
  }
  return shown;
}

// Returns the options with their secrets hidden. "columns" is shown unchanged: roles such as "key" are not secrets,
// though their names suggest it.
json ShowOptions(const json& options) {
  json shown = RedactValue("", options);
  if (options.is_object() && options.contains("columns")) shown["columns"] = options["columns"];
  return shown;
}

ordered_json ShowFailures(const FailurePolicy& policy) {
  return {{"max_attempts", policy.max_attempts},
          {"on_exhausted", policy.on_exhausted == OnExhausted::kBlock ? "block" : "dead_letter"},
          {"retry_backoff", Write(policy.retry_backoff)},
          {"max_retry_backoff", Write(policy.max_retry_backoff)}};
}

void Collect(const json& raw, const json& shown, const std::string& pointer, std::vector<std::string>& found) {
  if (raw.is_structured()) {
    for (const auto& [key, value] : raw.items()) {
      const json& part = raw.is_object() ? shown.at(key) : shown.at(std::stoul(key));
      Collect(value, part, Join(pointer, key), found);
    }
  } else if (raw != shown) {
    found.push_back(pointer);
  }
}

}  // namespace

std::string EffectiveJson(const Config& config, const json& raw, const PropertyPolicy& policy) {
  const Relay& relay = config.relay;
  const json* options = Find(raw, "/storage/options");
  ordered_json shown;
  shown["storage"] = {{"plugin", config.storage.plugin},
                      {"plugin_path", Written(raw, "/storage/plugin_path", config.storage.plugin_path)},
                      {"options", options == nullptr ? json::object() : ShowOptions(*options)}};
  shown["record"] = ShowRecord(config.record);
  const json* owners = Find(raw, "/plugins/trusted_owners");
  shown["plugins"] = {{"trusted_owners", owners == nullptr ? json::array() : *owners}};
  shown["publisher"] = {{"type", config.publisher.type},
                        {"strict", config.publisher.strict},
                        {"headers", config.publisher.strict_headers ? "strict" : "text"},
                        {"kafka", ShowKafka(raw, policy)}};
  shown["relay"] = {{"id", Written(raw, "/relay/id", relay.id)},
                    {"batch_size", relay.batch_size},
                    {"reserve_duration", Write(relay.reserve_duration)},
                    {"poll_interval", Write(relay.poll_interval)},
                    {"wake_up", relay.wake_up},
                    {"hints", Written(raw, "/relay/hints", relay.hints)},
                    {"ordering", relay.ordering == Ordering::kKey ? "key" : "none"},
                    {"max_in_flight_events", relay.max_in_flight_events},
                    {"max_in_flight_bytes", WriteSize(relay.max_in_flight_bytes)},
                    {"delivery_timeout", Write(relay.delivery_timeout)},
                    {"storage_timeout", Write(relay.storage_timeout)},
                    {"shutdown_timeout", Write(relay.shutdown_timeout)}};
  shown["relay"].update(ShowFailures(relay.failures));
  shown["relay"]["topics"] = json::array();
  for (const TopicPolicy& topic : relay.topics) {
    shown["relay"]["topics"].push_back({{"topic", topic.pattern}});
    shown["relay"]["topics"].back().update(ShowFailures(topic.failures));
  }
  shown["http"] = {{"listen", Written(raw, "/http/listen", config.http.listen)},
                   {"refresh_interval", Write(config.http.refresh_interval)}};
  shown["log"] = {{"level", config.log.level}, {"format", config.log.format}};
  return shown.dump();
}

std::vector<std::string> LiteralSecrets(const json& raw, const PropertyPolicy& policy) {
  std::vector<std::string> found;
  if (const json* options = Find(raw, "/storage/options")) {
    Collect(*options, ShowOptions(*options), "/storage/options", found);
  }
  if (const json* kafka = Find(raw, "/publisher/kafka")) {
    Collect(*kafka, ShowKafka(raw, policy), "/publisher/kafka", found);
  }
  return found;
}

}  // namespace outbox::config
