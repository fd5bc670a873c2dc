#include "cli/common/emit_input.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <nlohmann/json.hpp>

#include "outbox/base64.hpp"
#include "outbox/event.hpp"
#include "publisher/headers.hpp"

namespace outbox::cli {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 6> kMembers = {"topic", "type", "key", "payload", "headers", "event_id"};
constexpr std::string_view kBase64 = "{\"base64\":\"";

Status Bad(std::string text) { return {OUTBOX_BAD_DATA, std::move(text)}; }

// Collects the members of the outermost object, each as compact JSON text. The members are not parsed into json values,
// because that would round numbers, sort members, and drop one of two members with the same name.
class Members : public nlohmann::json_sax<json> {
 public:
  std::map<std::string, std::string> found;
  std::string problem;

  bool null() override { return Value("null"); }
  bool boolean(bool value) override { return Value(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return Value(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return Value(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& written) override { return Value(written); }
  bool string(string_t& value) override { return Value(json(value).dump()); }
  bool binary(binary_t&) override { return false; }

  bool start_object(std::size_t) override { return Open('{'); }
  bool end_object() override { return Close('}'); }
  bool start_array(std::size_t) override { return Open('['); }
  bool end_array() override { return Close(']'); }

  bool key(string_t& name) override {
    if (depth_ > 1) {
      Separate();
      text_ += json(name).dump() + ":";
      fresh_ = true;  // No comma comes between a name and its value.
      return true;
    }
    if (found.count(name) != 0) {
      problem = "\"" + name + "\" is given twice";
      return false;
    }
    name_ = std::move(name);
    text_.clear();
    fresh_ = true;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const json::exception& error) override {
    constexpr int kNumberOverflow = 406;
    if (error.id == kNumberOverflow)
      problem = "the number before character " + std::to_string(position) + " is out of range; write it as a string";
    else
      problem = "invalid JSON at character " + std::to_string(position);
    return false;
  }

 private:
  bool Value(std::string_view text) {
    if (depth_ == 0) return NoObject();
    Separate();
    text_ += text;
    return Done();
  }
  bool Open(char bracket) {
    if (depth_ == 0 && bracket == '[') return NoObject();
    if (++depth_ == 1) return true;
    Separate();
    text_ += bracket;
    fresh_ = true;
    return true;
  }
  bool Close(char bracket) {
    if (--depth_ == 0) return true;
    text_ += bracket;
    fresh_ = false;
    return Done();
  }
  bool Done() {
    if (depth_ == 1) found.emplace(std::move(name_), std::move(text_));
    return true;
  }
  void Separate() {
    if (!fresh_) text_ += ",";
    fresh_ = false;
  }
  bool NoObject() {
    problem = "not a JSON object";
    return false;
  }

  std::size_t depth_ = 0;
  bool fresh_ = true;
  std::string name_, text_;
};

// Reads an optional member that must be a string. A member that is null counts as absent.
Status TakeText(const Members& members, const std::string& name, std::optional<std::string>& out) {
  const auto member = members.found.find(name);
  if (member == members.found.end() || member->second == "null") return {};
  const json value = json::parse(member->second);
  if (!value.is_string()) return Bad("\"" + name + "\" must be a string in quotes");
  out = value.get<std::string>();
  return {};
}

Status TakeNeeded(const Members& members, const std::string& name, std::string& out) {
  std::optional<std::string> value;
  if (Status taken = TakeText(members, name, value); !taken.ok()) return taken;
  if (!value || value->empty()) return Bad("\"" + name + "\" is missing or empty");
  out = std::move(*value);
  return {};
}

Status TakePayload(const Members& members, std::optional<std::string>& out) {
  const auto member = members.found.find("payload");
  if (member == members.found.end()) return Bad("\"payload\" is missing; write null for a tombstone");
  const std::string& text = member->second;
  if (text == "null") return {};
  if (text[0] == '"') {
    out = json::parse(text).get<std::string>();
    return {};
  }
  if (text.compare(0, kBase64.size(), kBase64) == 0) {
    const json value = json::parse(text);
    if (value.size() == 1) {
      out = DecodeBase64(value["base64"].get<std::string>());
      return out ? Status() : Bad("\"payload\": the value of \"base64\" is not valid base64");
    }
  }
  out = text;
  return {};
}

Status TakeHeaders(const Members& members, publisher::HeaderValues values, std::optional<std::string>& out) {
  const auto member = members.found.find("headers");
  if (member == members.found.end() || member->second == "null") return {};
  std::string packed;
  if (Status status = publisher::PackHeaders(member->second, packed, values); !status.ok()) {
    return Bad("\"headers\": " + status.text());
  }
  out = member->second;
  return {};
}

// Returns true for a UUID as databases write it: groups of 8, 4, 4, 4 and 12 hexadecimal digits with hyphens between
// them.
bool IsUuid(std::string_view text) {
  constexpr std::string_view kForm = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  return std::equal(text.begin(), text.end(), kForm.begin(), kForm.end(), [](char c, char form) {
    return form == '-' ? c == '-' : std::isxdigit(static_cast<unsigned char>(c)) != 0;
  });
}

Status TakeEventId(const Members& members, std::optional<std::string>& out) {
  if (Status taken = TakeText(members, "event_id", out); !taken.ok()) return taken;
  if (!out || IsUuid(*out)) return {};
  return Bad(
      "\"event_id\" must be a UUID, such as \"0190163d-8694-739b-aea5-966c26f8ad91\"; omit it to have one generated");
}

}  // namespace

outbox_event EventLine::Raw() const {
  const auto raw = [](const std::optional<std::string>& text) {
    return text ? outbox::Raw(*text) : outbox_bytes{nullptr, 0};
  };
  outbox_event event{};
  event.topic = outbox::Raw(topic);
  event.event_type = outbox::Raw(type);
  event.aggregate_id = raw(key);
  event.payload = raw(payload);
  event.headers = raw(headers);
  event.event_id = raw(event_id);
  return event;
}

Result<EventLine> ParseEventLine(std::string_view line, publisher::HeaderValues headers) {
  Members members;
  if (!json::sax_parse(line.begin(), line.end(), &members)) return Bad(members.problem);
  for (const auto& [name, text] : members.found) {
    if (std::find(kMembers.begin(), kMembers.end(), name) == kMembers.end()) {
      return Bad("unknown member \"" + name + "\"; expected topic, type, key, payload, headers or event_id");
    }
  }
  EventLine event;
  Status status = TakeNeeded(members, "topic", event.topic);
  if (status.ok()) status = TakeNeeded(members, "type", event.type);
  if (status.ok()) status = TakeText(members, "key", event.key);
  if (status.ok()) status = TakePayload(members, event.payload);
  if (status.ok()) status = TakeHeaders(members, headers, event.headers);
  if (status.ok()) status = TakeEventId(members, event.event_id);
  if (!status.ok()) return status;
  return event;
}

}  // namespace outbox::cli
