#include "record/plan.hpp"

#include <algorithm>

#include "config/profiles.hpp"
#include "config/template.hpp"
#include "outbox/record_rules.hpp"
#include "record/debezium_types.hpp"

namespace outbox::record {
namespace {

using Field = Source::Field;

constexpr const char* kSchemaEnd = "}";

// A column that the section may use.
struct Known {
  Source source;
  Column column;
  bool measured = true;  // False if Debezium's form is required but was not measured for this column.
};

std::vector<Known> OwnColumns() {
  const auto known = [](const char* name, Field field, std::int32_t kind, std::int32_t role = OUTBOX_ROLE_NONE) {
    Column column;
    column.name = name;
    column.kind = kind;
    column.role = role;
    return Known{{field, 0, {kind, -1, {}, {}}, name}, column};
  };
  return {known("event_id", Field::kEventId, OUTBOX_COLUMN_OTHER, OUTBOX_ROLE_ID),
          known("aggregate_id", Field::kKey, OUTBOX_COLUMN_TEXT, OUTBOX_ROLE_KEY),
          known("event_type", Field::kEventType, OUTBOX_COLUMN_TEXT),
          known("topic", Field::kTopic, OUTBOX_COLUMN_TEXT),
          known("payload", Field::kPayload, OUTBOX_COLUMN_TEXT, OUTBOX_ROLE_PAYLOAD),
          known("created_at", Field::kCreatedAt, OUTBOX_COLUMN_INSTANT, OUTBOX_ROLE_CREATED)};
}

std::vector<Known> Described(const std::vector<Column>& columns, const config::Record& record) {
  const config::Profile* const profile = config::FindProfile(record.like);
  std::vector<Known> known;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const Column& c = columns[i];
    const bool payload = c.role == OUTBOX_ROLE_PAYLOAD;
    Known& added = known.emplace_back(
        Known{{payload ? Field::kPayload : Field::kColumn, i, {c.kind, c.scale, {}, {}}, c.name}, c});
    if (profile == nullptr || !profile->debezium) continue;
    const auto type = DebeziumType(c, record.types);
    added.measured = type.has_value();
    if (type) added.source.type = *type;
  }
  return known;
}

bool IsText(const Source& source) {
  return source.type.kind == OUTBOX_COLUMN_TEXT || source.type.kind == OUTBOX_COLUMN_OTHER ||
         source.type.kind == OUTBOX_COLUMN_JSON;
}

class Compiler {
 public:
  Compiler(const config::Record& record, const std::vector<Column>& columns, std::vector<Problem>& problems)
      : record_(record),
        is_own_(columns.empty()),
        known_(is_own_ ? OwnColumns() : Described(columns, record)),
        problems_(problems) {
    const config::Profile* const profile = config::FindProfile(record.like);
    plan_.style = profile != nullptr && profile->debezium ? Style::kDebezium : Style::kPlain;
  }

  Plan Run() {
    Modes();
    Topic();
    KeyAndValue();
    Headers();
    Partition();
    Timestamp();
    return std::move(plan_);
  }

 private:
  void Wrong(const std::string& pointer, const std::string& text) { problems_.push_back({pointer, text}); }

  [[nodiscard]] const Known* WithRole(std::int32_t role) const {
    const auto found =
        std::find_if(known_.begin(), known_.end(), [&](const Known& k) { return k.column.role == role; });
    return found == known_.end() ? nullptr : &*found;
  }

  const Known* Find(const std::string& pointer, const std::string& name) {
    const auto found =
        std::find_if(known_.begin(), known_.end(), [&](const Known& k) { return k.source.name == name; });
    if (found != known_.end()) return &*found;
    std::string names;
    for (const Known& k : known_) names += (names.empty() ? "" : ", ") + k.source.name;
    Wrong(pointer, "there is no column \"" + name + "\"; expected one of " + names);
    return nullptr;
  }

  std::optional<Text> Compiled(const std::string& pointer, const std::string& text) {
    const auto parsed = config::Template::Parse(text);
    if (!parsed.ok()) {
      Wrong(pointer, parsed.status().text());
      return std::nullopt;
    }
    Text compiled;
    for (const config::Template::Piece& piece : parsed->pieces()) {
      Text::Piece& added = compiled.pieces.emplace_back(Text::Piece{piece.literal, std::nullopt});
      if (!piece.column) continue;
      const Known* const known = Find(pointer, *piece.column);
      if (known == nullptr) return std::nullopt;
      added.value = known->source;
    }
    return compiled;
  }

  std::optional<Text> TopicText(const std::string& pointer, const std::string& text) {
    auto compiled = Compiled(pointer, text);
    if (!compiled) return compiled;
    std::string literals;
    for (const Text::Piece& piece : compiled->pieces) {
      literals += piece.literal;
      if (!piece.value) continue;
      TopicColumn(pointer, *piece.value);
      plan_.has_topic_columns = true;
    }
    const bool constant = compiled->pieces.size() == 1;
    // A letter stands for the values of columns, so that only the literal parts are checked here.
    if (const auto bad = BadTopicName(constant ? literals : literals + "x"))
      Wrong(pointer, "not a valid topic name: " + *bad);
    return compiled;
  }

  void TopicColumn(const std::string& pointer, const Source& column) {
    const bool good =
        plan_.style == Style::kDebezium ? IsText(column) : IsText(column) || column.type.kind == OUTBOX_COLUMN_INTEGER;
    if (!good)
      Wrong(pointer, "the column \"" + column.name + "\" is " + TypeOf(column) + "; expected a column of text");
  }

  [[nodiscard]] std::string TypeOf(const Source& column) const {
    const auto found =
        std::find_if(known_.begin(), known_.end(), [&](const Known& k) { return k.source.name == column.name; });
    return found == known_.end() || found->column.type.empty() ? "of another type" : found->column.type;
  }

  // Refuses settings that are only for Debezium's records.
  void Modes() {
    if (plan_.style == Style::kDebezium) return;
    if (record_.types != config::Types{})
      Wrong("/record/types",
            "describes how Debezium was configured to write types; it requires \"like\": \"debezium\"");
    for (const auto& [asked, place] :
         {std::pair(record_.key_schema, "/record/key"), std::pair(record_.value_schema, "/record/value"),
          std::pair(record_.header_schema, "/record/header")})
      if (asked) Wrong(place, "a schema requires \"like\": \"debezium\"");
  }

  // Adds a problem if Debezium's form of this column was not measured. Called if the column's text or JSON is needed.
  void Measured(const std::string& pointer, const Known& known) {
    if (!known.measured)
      Wrong(pointer, "the column \"" + known.source.name + "\" is " + TypeOf(known.source) +
                         ", and what Debezium writes for that type was not measured; leave the column out");
  }

  // Returns the beginning of a JSON document with the schema of this column. The caller appends the value and
  // kSchemaEnd.
  std::string SchemaOf(const std::string& pointer, const Known& known) {
    const auto schema = ConnectSchema(known.column, record_.types);
    if (!schema)
      Wrong(pointer, "the column \"" + known.source.name + "\" is " + TypeOf(known.source) +
                         ", for which the schema that Kafka Connect writes is unknown; expected no schema");
    return "{\"schema\":" + schema.value_or("") + ",\"payload\":";
  }

  void TopicPattern(const std::string& place) {
    auto pattern = config::Pattern::Parse(record_.topics->matches);
    if (!pattern.ok()) return Wrong(place + "/matches", pattern.status().text());
    auto to = config::Replacement::Parse(record_.topics->to, *pattern);
    if (!to.ok()) return Wrong(place + "/to", to.status().text());
    plan_.topic_pattern = std::move(*pattern);
    plan_.matched_topic = std::move(*to);
    plan_.has_topic_columns = true;
  }

  void Topic() {
    if (record_.topics) {
      const std::string place = "/record/topic";
      if (const Known* by = Find(place + "/by", record_.topics->by)) {
        plan_.topic_by = by->source;
        TopicColumn(place + "/by", by->source);
      }
      for (const auto& [value, topic] : record_.topics->is) {
        if (const auto bad = BadTopicName(topic)) Wrong(place + "/is/" + value, "not a valid topic name: " + *bad);
        plan_.topics[value] = topic;
      }
      if (!record_.topics->matches.empty()) TopicPattern(place);
      if (record_.topics->otherwise) plan_.other_topic = TopicText(place + "/else", *record_.topics->otherwise);
    } else if (record_.topic) {
      plan_.topic = TopicText("/record/topic", *record_.topic);
    } else if (is_own_) {
      plan_.topic = Compiled("/record/topic", "{topic}");
    } else {
      Wrong("/record/topic",
            "missing; expected a topic, a template such as \"outbox.event.{aggregatetype}\", or {\"by\": COLUMN, "
            "\"is\": {VALUE: TOPIC}, \"else\": TOPIC}");
    }
  }

  void KeyAndValue() {
    plan_.key_encoding = record_.key;
    plan_.value_encoding = record_.value;
    plan_.keeps_null_members = record_.keeps_null_members;
    plan_.json_null = record_.json_null;
    plan_.empty_is_tombstone = record_.empty_is_tombstone;
    if (const Known* key = WithRole(OUTBOX_ROLE_KEY)) {
      plan_.key = key->source;
      Measured("/storage/options/columns/key", *key);
      if (record_.key == config::KeyEncoding::kText) PlainKey(key->source);
      if (record_.key_schema) {
        plan_.key_prefix = SchemaOf("/record/key", *key);
        plan_.key_suffix = kSchemaEnd;
      }
    }
    const Known* const payload = WithRole(OUTBOX_ROLE_PAYLOAD);
    if (payload != nullptr) {
      plan_.payload = payload->source;
      Payload(*payload);
    }
    if (record_.value_schema && record_.envelope)
      Wrong("/record/envelope",
            "the schema of an envelope contains the first route that Debezium met, which is unknown; expected a value "
            "without a schema");
    if (record_.envelope) plan_.envelope = Named("/record/envelope", *record_.envelope);
  }

  void PlainKey(const Source& key) {
    const bool debezium = plan_.style == Style::kDebezium;
    if (debezium ? IsJavaObject(key.type) : key.type.kind == OUTBOX_COLUMN_BYTES)
      Wrong("/storage/options/columns/key",
            "the column \"" + key.name + "\" is " + TypeOf(key) +
                (debezium ? ", which Debezium writes as the text of a Java object, which cannot be reproduced"
                          : ", which is not text") +
                "; expected a column of text or of numbers, or \"key\": \"json\" in /record");
  }

  void Payload(const Known& known) {
    using V = config::ValueEncoding;
    const Source& payload = known.source;
    const bool bytes = payload.type.kind == OUTBOX_COLUMN_BYTES;
    // If a mode turns bytes into text, the payload is text for every converter.
    const bool is_bytes = bytes && payload.type.form == Form::kOfKind;
    Measured("/storage/options/columns/payload", known);
    if (record_.value == V::kBytes || record_.value == V::kBytesOrJsonString) {
      plan_.value_encoding = is_bytes || is_own_ || record_.value == V::kBytes ? V::kText : V::kJsonString;
      if (record_.value == V::kBytes && !is_bytes && !is_own_)
        Wrong("/record/value", "the payload's column \"" + payload.name + "\" is " + TypeOf(payload) +
                                   "; expected a column of bytes, or another value here, such as \"text\"");
    }
    if (record_.value == V::kText && is_bytes && plan_.style == Style::kDebezium)
      Wrong("/record/value",
            "the payload's column \"" + payload.name + "\" is " + TypeOf(payload) +
                ", which Debezium writes as the text of a Java object; expected \"bytes\" for the unchanged bytes");
    plan_.value_is_payload = is_bytes || payload.type.form == Form::kOfKind || IsItsText(payload.type, plan_.style);
    if (record_.value_schema) {
      plan_.value_prefix = SchemaOf("/record/value", known);
      plan_.value_suffix = kSchemaEnd;
      plan_.value_schema = true;
    }
    if ((record_.value == V::kBase64 || record_.value == V::kBase64Url || record_.value == V::kHex) && !bytes &&
        !is_own_)
      Wrong("/record/value", "the payload's column \"" + payload.name + "\" is " + TypeOf(payload) +
                                 "; base64 and hex are for columns of bytes");
    if (record_.value == V::kJsonDebezium && bytes)
      Wrong("/record/value", "the payload's column \"" + payload.name + "\" is " + TypeOf(payload) +
                                 "; json-debezium is for columns of text or JSON");
  }

  std::vector<NamedValue> Named(const std::string& place, const std::vector<config::NamedText>& texts) {
    std::vector<NamedValue> named;
    for (const auto& [name, text] : texts) {
      const std::string pointer = place + "/" + name;
      auto compiled = Compiled(pointer, text);
      if (!compiled) continue;
      for (const Text::Piece& piece : compiled->pieces)
        if (piece.value) Measured(pointer, *Find(pointer, piece.value->name));
      named.push_back({name, std::move(*compiled), ""});
    }
    return named;
  }

  void Headers() {
    plan_.row_headers = is_own_;
    if (!record_.headers) return;
    plan_.relay_headers = false;
    plan_.headers = Named("/record/headers", *record_.headers);
    plan_.json_headers = record_.header == config::HeaderEncoding::kJson;
    for (NamedValue& header : plan_.headers) {
      const std::string pointer = "/record/headers/" + header.name;
      if (record_.header_schema) HeaderSchema(pointer, header);
      if (record_.header != config::HeaderEncoding::kString) continue;
      for (const Text::Piece& piece : header.text.pieces)
        if (piece.value && IsJavaObject(piece.value->type))
          Wrong(pointer, "the column \"" + piece.value->name + "\" is " + TypeOf(*piece.value) +
                             ", which StringConverter writes as the text of a Java object, which cannot be reproduced");
    }
  }

  void HeaderSchema(const std::string& pointer, NamedValue& header) {
    const Known* const known = header.text.IsOnlyValue() ? Find(pointer, header.text.pieces[0].value->name) : nullptr;
    header.prefix =
        known != nullptr ? SchemaOf(pointer, *known) : R"({"schema":{"type":"string","optional":false},"payload":)";
    plan_.header_suffix = kSchemaEnd;
  }

  void Partition() {
    const Known* const column = WithRole(OUTBOX_ROLE_PARTITION);
    if (column == nullptr) return;
    const bool whole = column->source.type.kind == OUTBOX_COLUMN_INTEGER;
    const std::string& type = column->column.type;
    const bool as_debezium = type == "integer" || type == "int" || (type.starts_with("int(") && type.ends_with(")"));
    if (!whole || (plan_.style == Style::kDebezium && !as_debezium))
      return Wrong("/storage/options/columns/partition",
                   "the column \"" + column->source.name + "\" is " + TypeOf(column->source) + "; expected " +
                       (plan_.style == Style::kDebezium ? "int, which Debezium requires" : "a whole number"));
    plan_.partition = column->source;
  }

  void Timestamp() {
    if (record_.timestamp == "sent") return;
    const Known* const created = is_own_ ? nullptr : WithRole(OUTBOX_ROLE_CREATED);
    if (record_.timestamp == "created_at" && created != nullptr)
      return TimeOf("/storage/options/columns/created_at", created->source);
    if (record_.timestamp == "created_at") {
      plan_.timestamp = Source{Field::kCreatedAt, 0, {OUTBOX_COLUMN_INSTANT, -1, {}, {}}, "created_at"};
      return;
    }
    const auto compiled = Compiled("/record/timestamp", record_.timestamp);
    if (!compiled) return;
    if (!compiled->IsOnlyValue())
      return Wrong("/record/timestamp",
                   "expected \"sent\", \"created_at\", or one column in braces, such as \"{occurred_at}\"");
    TimeOf("/record/timestamp", *compiled->pieces[0].value);
  }

  void TimeOf(const std::string& pointer, const Source& column) {
    const bool instant = column.type.kind == OUTBOX_COLUMN_INSTANT, face = column.type.kind == OUTBOX_COLUMN_TIMESTAMP;
    if (!face && (!instant || plan_.style == Style::kDebezium))
      return Wrong(pointer,
                   "the column \"" + column.name + "\" is " + TypeOf(column) + "; expected " +
                       (plan_.style == Style::kDebezium ? "a timestamp without a time zone, which Debezium requires"
                                                        : "a column of a date and a time"));
    if (record_.types.time == config::Types::Time::kConnect || record_.types.time == config::Types::Time::kIso)
      return Wrong("/record/timestamp",
                   "Debezium does not read the time from a column with time.precision.mode connect or isostring; "
                   "expected \"sent\"");
    plan_.timestamp = column;
  }

  const config::Record& record_;
  const bool is_own_;
  const std::vector<Known> known_;
  std::vector<Problem>& problems_;
  Plan plan_;
};

}  // namespace

Plan Compile(const config::Record& record, const std::vector<Column>& columns, std::vector<Problem>& problems) {
  return Compiler(record, columns, problems).Run();
}

}  // namespace outbox::record
