#include "config/load_record.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/pattern.hpp"
#include "config/profiles.hpp"
#include "config/template.hpp"
#include "outbox/record_rules.hpp"

namespace outbox::config {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::size_t kMaxNamed = 256;

// An encoding. `schema` is true if the value is wrapped in the schema that Kafka Connect's JsonConverter writes.
template <class Encoding>
struct Encoded {
  Encoding encoding;
  bool schema = false;
  bool operator==(const Encoded&) const = default;
};
template <class T>
using Choices = std::initializer_list<std::pair<std::string_view, T>>;

const Choices<Encoded<KeyEncoding>> kKeys = {
    {"text", {KeyEncoding::kText}}, {"json", {KeyEncoding::kJson}}, {"json-with-schema", {KeyEncoding::kJson, true}}};
const Choices<Encoded<HeaderEncoding>> kHeaderForms = {{"text", {HeaderEncoding::kText}},
                                                       {"string", {HeaderEncoding::kString}},
                                                       {"json", {HeaderEncoding::kJson}},
                                                       {"json-with-schema", {HeaderEncoding::kJson, true}}};
const Choices<Encoded<ValueEncoding>> kValues = {{"text", {ValueEncoding::kText}},
                                                 {"json-string", {ValueEncoding::kJsonString}},
                                                 {"json", {ValueEncoding::kJson}},
                                                 {"json-debezium", {ValueEncoding::kJsonDebezium}},
                                                 {"json-string-with-schema", {ValueEncoding::kJsonString, true}},
                                                 {"json-debezium-with-schema", {ValueEncoding::kJsonDebezium, true}},
                                                 {"bytes", {ValueEncoding::kBytes}},
                                                 {"bytes-or-json-string", {ValueEncoding::kBytesOrJsonString}},
                                                 {"base64", {ValueEncoding::kBase64}},
                                                 {"base64-url", {ValueEncoding::kBase64Url}},
                                                 {"hex", {ValueEncoding::kHex}}};

// The names are values of Debezium's properties, such as binary.handling.mode.
const Choices<Types::Binary> kBinaries = {{"bytes", Types::Binary::kBytes},
                                          {"base64", Types::Binary::kBase64},
                                          {"base64-url-safe", Types::Binary::kBase64Url},
                                          {"hex", Types::Binary::kHex}};
const Choices<Types::Decimal> kDecimals = {
    {"precise", Types::Decimal::kPrecise}, {"string", Types::Decimal::kString}, {"double", Types::Decimal::kDouble}};
const Choices<Types::Time> kTimes = {{"adaptive", Types::Time::kAdaptive},
                                     {"adaptive_time_microseconds", Types::Time::kAdaptiveMicros},
                                     {"connect", Types::Time::kConnect},
                                     {"isostring", Types::Time::kIso}};
const Choices<Types::Interval> kIntervals = {{"numeric", Types::Interval::kNumeric},
                                             {"string", Types::Interval::kString}};

template <class T>
std::string NameIn(const Choices<T>& choices, const T& value) {
  return std::string(
      std::find_if(choices.begin(), choices.end(), [&](const auto& choice) { return choice.second == value; })->first);
}

template <class Encoding>
void ReadEncoding(Section& section, std::string_view key, const Choices<Encoded<Encoding>>& choices, Encoding& encoding,
                  bool& schema) {
  Encoded<Encoding> read{encoding, schema};
  section.ReadChoice<Encoded<Encoding>>(key, read, choices);
  encoding = read.encoding;
  schema = read.schema;
}

void ReadTypes(Section section, Types& out) {
  section.ReadChoice<Types::Binary>("binary", out.binary, kBinaries);
  section.ReadChoice<Types::Decimal>("decimal", out.decimal, kDecimals);
  section.ReadChoice<Types::Time>("time", out.time, kTimes);
  section.ReadChoice<Types::Interval>("interval", out.interval, kIntervals);
  section.Finish();
}

// Returns true if `text` is a template; otherwise adds a problem and returns false.
bool IsTemplate(Section& section, std::string_view key, const std::string& text) {
  const auto parsed = Template::Parse(text);
  if (!parsed.ok()) section.Complain(key, parsed.status().text());
  return parsed.ok();
}

// Returns the names of the object's members in the order in which the file has them.
std::vector<std::string> Names(const ordered_json& file, const char* pointer) {
  std::vector<std::string> names;
  const ordered_json::json_pointer place(pointer);
  if (!file.contains(place) || !file.at(place).is_object()) return names;
  for (const auto& [name, value] : file.at(place).items()) names.push_back(name);
  return names;
}

void ReadNamed(Section& record, const char* key, const std::vector<std::string>& names,
               std::optional<std::vector<NamedText>>& out) {
  if (record.Raw(key) == nullptr) {
    (void)record.Find(key);
    return;
  }
  Section section = record.Sub(key);
  if (names.size() > kMaxNamed)
    return record.Wrong(key, "an object of at most " + std::to_string(kMaxNamed) + " members");
  out.emplace();
  for (const std::string& name : names) {
    NamedText& one = out->emplace_back(NamedText{name, ""});
    section.Read(name, one.text);
    if (const auto bad = BadRecordHeaderName(name)) section.Complain(name, *bad);
    IsTemplate(section, name, one.text);
  }
  section.Finish();
}

// Reads the headers: an object, or a list of {"name": NAME, "value": TEMPLATE}, in which a name may occur several
// times.
void ReadHeaders(Section& record, const std::vector<std::string>& names, Record& out) {
  const json* const headers = record.Raw("headers");
  if (headers == nullptr || !headers->is_array()) return ReadNamed(record, "headers", names, out.headers);
  out.headers.emplace();
  for (Section& section : record.List("headers", kMaxNamed)) {
    NamedText& one = out.headers->emplace_back();
    section.Read("name", one.name);
    section.Read("value", one.text);
    if (const auto bad = BadRecordHeaderName(one.name)) section.Complain("name", *bad);
    IsTemplate(section, "value", one.text);
    section.Finish();
  }
}

void ReadPattern(Section& section, TopicMap& out) {
  section.Read("matches", out.matches);
  section.Read("to", out.to);
  if (section.Raw("matches") == nullptr && section.Raw("to") == nullptr) return;
  const auto pattern = Pattern::Parse(out.matches);
  if (!pattern.ok()) return section.Complain("matches", pattern.status().text());
  if (out.to.empty()) return section.Wrong("to", "the topic, with $1 for the text of the first group of \"matches\"");
  if (const auto to = Replacement::Parse(out.to, *pattern); !to.ok()) section.Complain("to", to.status().text());
}

void ReadTopic(Section& record, Record& out) {
  const json* topic = record.Find("topic");
  if (topic == nullptr) return;
  if (topic->is_string()) {
    if (IsTemplate(record, "topic", topic->get_ref<const std::string&>())) out.topic = topic->get<std::string>();
    return;
  }
  if (!topic->is_object()) {
    return record.Wrong("topic",
                        "a topic, a template such as \"outbox.event.{aggregatetype}\", or {\"by\": COLUMN, \"is\": "
                        "{VALUE: TOPIC}, \"else\": TOPIC}");
  }
  Section section = record.Sub("topic");
  TopicMap& map = out.topics.emplace();
  section.Read("by", map.by);
  if (map.by.empty()) section.Wrong("by", "the name of a column, whose value chooses the topic");
  Section is = section.Sub("is");
  for (const auto& [value, unused] : is.object().items())
    is.Read(value, map.is.emplace_back(NamedText{value, ""}).text);
  ReadPattern(section, map);
  if (section.Find("else") != nullptr) {
    section.Read("else", map.otherwise.emplace());
    IsTemplate(section, "else", *map.otherwise);
  }
  is.Finish();
  section.Finish();
}

// Returns all columns that the section names, each once, in the order in which they first occur.
std::vector<std::string> ColumnsOf(const Record& record) {
  std::vector<std::string> columns;
  const auto add = [&](const std::string& name) {
    if (std::find(columns.begin(), columns.end(), name) == columns.end()) columns.push_back(name);
  };
  const auto add_all = [&](const std::string& text) {
    const auto parsed = Template::Parse(text);
    if (!parsed.ok()) return;
    for (const Template::Piece& piece : parsed->pieces())
      if (piece.column) add(*piece.column);
  };
  if (record.topic) add_all(*record.topic);
  if (record.topics) {
    add(record.topics->by);
    if (record.topics->otherwise) add_all(*record.topics->otherwise);
  }
  for (const auto* named : {&record.headers, &record.envelope})
    if (*named)
      for (const NamedText& one : **named) add_all(one.text);
  add_all(record.timestamp);
  return columns;
}

// Returns a template of the profile with its columns renamed. A profile uses the column names of its own table; if
// `columns` gives the role of such a column to another column, the name of the other column is used.
std::string Renamed(const std::string& text, const Profile& profile, const json& columns) {
  const auto parsed = Template::Parse(text);
  if (!parsed.ok()) return text;
  std::string renamed;
  for (const Template::Piece& piece : parsed->pieces()) {
    for (const char c : piece.literal) renamed += c == '{' ? "{{" : std::string(1, c);
    if (!piece.column) continue;
    const auto role = std::find_if(profile.columns.begin(), profile.columns.end(),
                                   [&](const auto& one) { return one.second == *piece.column; });
    const auto given = role == profile.columns.end() ? columns.end() : columns.find(std::string(role->first));
    renamed += '{' + (given != columns.end() && given->is_string() ? given->get<std::string>() : *piece.column) + '}';
  }
  return renamed;
}

std::vector<NamedText> Renamed(const std::vector<NamedText>& texts, const Profile& profile, const json& columns) {
  std::vector<NamedText> renamed;
  renamed.reserve(texts.size());
  for (const auto& [name, text] : texts) renamed.push_back({name, Renamed(text, profile, columns)});
  return renamed;
}

json RolesOf(const Profile& profile) {
  json columns = json::object();
  for (const auto& [role, column] : profile.columns) columns[std::string(role)] = column;
  return columns;
}

ordered_json Show(const std::optional<std::vector<NamedText>>& named) {
  ordered_json shown = ordered_json::object();
  if (!named) return shown;
  for (const auto& [name, text] : *named) shown[name] = text;
  if (shown.size() == named->size()) return shown;
  shown = ordered_json::array();
  for (const auto& [name, text] : *named) shown.push_back({{"name", name}, {"value", text}});
  return shown;
}

const std::vector<NamedText>& RelayHeaders() {
  static const std::vector<NamedText> kHeaders = {{"event_id", "{event_id}"}, {"event_type", "{event_type}"}};
  return kHeaders;
}

}  // namespace

void ReadRecord(Section section, std::string_view file, Record& out) {
  const ordered_json ordered = ordered_json::parse(file, nullptr, /*allow_exceptions=*/false, /*ignore_comments=*/true);
  section.Read("like", out.like);
  if (!out.like.empty() && FindProfile(out.like) == nullptr) {
    std::string names;
    for (const Profile& profile : Profiles()) names += (names.empty() ? "" : ", ") + std::string(profile.name);
    section.Wrong("like", "one of " + names + ", or \"\" for none");
  }
  ReadTopic(section, out);
  ReadEncoding(section, "key", kKeys, out.key, out.key_schema);
  ReadEncoding(section, "value", kValues, out.value, out.value_schema);
  ReadEncoding(section, "header", kHeaderForms, out.header, out.header_schema);
  ReadTypes(section.Sub("types"), out.types);
  section.ReadChoice<bool>("null", out.json_null, {{"tombstone", false}, {"json", true}});
  section.ReadChoice<bool>("null_members", out.keeps_null_members, {{"drop", false}, {"keep", true}});
  section.ReadChoice<bool>("empty", out.empty_is_tombstone, {{"value", false}, {"tombstone", true}});
  ReadNamed(section, "envelope", Names(ordered, "/record/envelope"), out.envelope);
  ReadHeaders(section, Names(ordered, "/record/headers"), out);
  if (out.envelope && out.envelope->empty()) out.envelope.reset();
  section.Read("timestamp", out.timestamp);
  if (out.timestamp != "sent" && out.timestamp != "created_at") {
    const auto parsed = Template::Parse(out.timestamp);
    if (!parsed.ok() || parsed->OnlyColumn() == nullptr)
      section.Wrong("timestamp", "\"sent\", \"created_at\", or one column in braces, such as \"{occurred_at}\"");
  }
  section.Finish();
}

void CompleteRecord(Record& record, Storage& storage, Problems& problems) {
  const Profile* const profile = FindProfile(record.like);
  json options = json::parse(storage.options, nullptr, /*allow_exceptions=*/false);
  if (!options.is_object()) return;
  if (!options.contains("capture")) {
    if (profile != nullptr && !record.headers)
      record.headers = Renamed(profile->headers, *profile, {{"id", "event_id"}, {"key", "aggregate_id"}});
    if (record.topic == "{topic}") record.topic.reset();
    if (record.headers == RelayHeaders()) record.headers.reset();
    return;
  }
  if (!options.contains("columns")) {
    if (profile == nullptr)
      return problems.Add(
          "/storage/options/columns",
          "missing; expected the columns by their roles, such as {\"id\": \"id\", \"key\": \"aggregate_id\", "
          "\"payload\": \"payload\"}, or \"like\" in /record");
    options["columns"] = RolesOf(*profile);
  }
  // Debezium reads JSON from the binary log, where JSON is formatted differently from the text that a query returns.
  if (profile != nullptr && profile->debezium && storage.plugin == "mysql") record.types.json_of_binlog = true;
  const json& columns = options["columns"];
  if (!columns.is_object()) return;  // The plugin reports the mistake.
  if (profile != nullptr && !record.topic && !record.topics)
    record.topic = Renamed(std::string(profile->topic), *profile, columns);
  if (profile != nullptr && !record.headers) record.headers = Renamed(profile->headers, *profile, columns);
  if (!record.headers) {
    record.headers.emplace();
    if (const auto id = columns.find("id"); id != columns.end() && id->is_string())
      record.headers->push_back({"event_id", '{' + id->get<std::string>() + '}'});
  }
  // record_columns keeps the columns listed in the configuration in front, and appends those that the record section
  // refers to. Names are not checked here; the plugin reports unknown ones.
  json& named = options["record_columns"];
  if (named.is_null()) named = json::array();
  if (named.is_array())
    for (const std::string& column : ColumnsOf(record))
      if (std::find(named.begin(), named.end(), column) == named.end()) named.push_back(column);
  storage.options = options.dump();
}

ordered_json ShowRecord(const Record& record) {
  ordered_json topic = record.topic.value_or("{topic}");
  if (record.topics) {
    topic = {{"by", record.topics->by}, {"is", ordered_json::object()}};
    for (const auto& [value, name] : record.topics->is) topic["is"][value] = name;
    if (!record.topics->matches.empty()) {
      topic["matches"] = record.topics->matches;
      topic["to"] = record.topics->to;
    }
    if (record.topics->otherwise) topic["else"] = *record.topics->otherwise;
  }
  return {{"like", record.like},
          {"topic", topic},
          {"key", NameIn(kKeys, {record.key, record.key_schema})},
          {"value", NameIn(kValues, {record.value, record.value_schema})},
          {"header", NameIn(kHeaderForms, {record.header, record.header_schema})},
          {"types",
           {{"binary", NameIn(kBinaries, record.types.binary)},
            {"decimal", NameIn(kDecimals, record.types.decimal)},
            {"time", NameIn(kTimes, record.types.time)},
            {"interval", NameIn(kIntervals, record.types.interval)}}},
          {"null", record.json_null ? "json" : "tombstone"},
          {"null_members", record.keeps_null_members ? "keep" : "drop"},
          {"empty", record.empty_is_tombstone ? "tombstone" : "value"},
          {"envelope", Show(record.envelope)},
          {"headers", Show(record.headers ? record.headers : RelayHeaders())},
          {"timestamp", record.timestamp}};
}

}  // namespace outbox::config
