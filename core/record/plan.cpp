#include "record/plan.hpp"

#include <algorithm>

#include "config/profiles.hpp"
#include "config/template.hpp"
#include "outbox/record_rules.hpp"

namespace outbox::record {
namespace {

using Field = Source::Field;

struct Known {
  Source source;
  std::string type;
  std::int32_t role = OUTBOX_ROLE_NONE;
};

std::vector<Known> OwnColumns() {
  const auto known = [](const char* name, Field field, std::int32_t kind, std::int32_t role = OUTBOX_ROLE_NONE) {
    return Known{{field, 0, {kind, -1}, name}, "", role};
  };
  return {known("event_id", Field::kEventId, OUTBOX_COLUMN_OTHER, OUTBOX_ROLE_ID),
          known("aggregate_id", Field::kKey, OUTBOX_COLUMN_TEXT, OUTBOX_ROLE_KEY),
          known("event_type", Field::kEventType, OUTBOX_COLUMN_TEXT),
          known("topic", Field::kTopic, OUTBOX_COLUMN_TEXT),
          known("payload", Field::kPayload, OUTBOX_COLUMN_TEXT, OUTBOX_ROLE_PAYLOAD),
          known("created_at", Field::kCreatedAt, OUTBOX_COLUMN_INSTANT, OUTBOX_ROLE_CREATED)};
}

std::vector<Known> Described(const std::vector<Column>& columns) {
  std::vector<Known> known;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const Column& c = columns[i];
    const bool payload = c.role == OUTBOX_ROLE_PAYLOAD;
    known.push_back({{payload ? Field::kPayload : Field::kColumn, i, {c.kind, c.scale}, c.name}, c.type, c.role});
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
        known_(is_own_ ? OwnColumns() : Described(columns)),
        problems_(problems) {
    const config::Profile* const profile = config::FindProfile(record.like);
    plan_.style = profile != nullptr && profile->debezium ? Style::kDebezium : Style::kPlain;
  }

  Plan Run() {
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
    const auto found = std::find_if(known_.begin(), known_.end(), [&](const Known& k) { return k.role == role; });
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
      if (piece.value) TopicColumn(pointer, *piece.value);
    }
    const bool constant = compiled->pieces.size() == 1;
    // A letter stands for what columns bring, so that the literal parts alone are judged.
    if (const auto bad = BadTopicName(constant ? literals : literals + "x"))
      Wrong(pointer, "no topic can be named so: " + *bad);
    return compiled;
  }

  void TopicColumn(const std::string& pointer, const Source& column) {
    const bool good =
        plan_.style == Style::kDebezium ? IsText(column) : IsText(column) || column.type.kind == OUTBOX_COLUMN_INTEGER;
    if (!good) Wrong(pointer, "the column \"" + column.name + "\" is " + TypeOf(column) + "; a topic is made of text");
  }

  [[nodiscard]] std::string TypeOf(const Source& column) const {
    const auto found =
        std::find_if(known_.begin(), known_.end(), [&](const Known& k) { return k.source.name == column.name; });
    return found == known_.end() || found->type.empty() ? "of another type" : found->type;
  }

  void Topic() {
    if (record_.topics) {
      const std::string place = "/record/topic";
      if (const Known* by = Find(place + "/by", record_.topics->by)) plan_.topic_by = by->source;
      for (const auto& [value, topic] : record_.topics->is) {
        if (const auto bad = BadTopicName(topic)) Wrong(place + "/is/" + value, "no topic can be named so: " + *bad);
        plan_.topics[value] = topic;
      }
      if (record_.topics->otherwise) plan_.other_topic = TopicText(place + "/else", *record_.topics->otherwise);
    } else if (record_.topic) {
      plan_.topic = TopicText("/record/topic", *record_.topic);
    } else if (is_own_) {
      plan_.topic = Compiled("/record/topic", "{topic}");
    } else {
      Wrong("/record/topic",
            "missing; expected a topic, a template such as \"outbox.event.{aggregatetype}\", or {\"by\": "
            "COLUMN, \"is\": {VALUE: TOPIC}, \"else\": TOPIC}");
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
      if (record_.key == config::KeyEncoding::kText) PlainKey(key->source);
    }
    const Known* const payload = WithRole(OUTBOX_ROLE_PAYLOAD);
    if (payload != nullptr) {
      plan_.payload = payload->source;
      Payload(payload->source);
    }
    if (record_.envelope) plan_.envelope = Named("/record/envelope", *record_.envelope);
  }

  void PlainKey(const Source& key) {
    const bool variable = key.type.kind == OUTBOX_COLUMN_DECIMAL && key.type.scale < 0;
    if (key.type.kind == OUTBOX_COLUMN_BYTES || (variable && plan_.style == Style::kDebezium))
      Wrong("/storage/options/columns/key",
            "the column \"" + key.name + "\" is " + TypeOf(key) +
                (plan_.style == Style::kDebezium
                     ? ", and Debezium's text of that is a Java object's, which nobody can make again"
                     : ", which is no text") +
                "; expected a column of text or of numbers, or \"key\": \"json\" in /record");
  }

  void Payload(const Source& payload) {
    using V = config::ValueEncoding;
    const bool bytes = payload.type.kind == OUTBOX_COLUMN_BYTES;
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
    for (const auto& [name, text] : texts)
      if (auto compiled = Compiled(place + "/" + name, text)) named.push_back({name, std::move(*compiled)});
    return named;
  }

  void Headers() {
    plan_.row_headers = is_own_;
    if (!record_.headers) return;
    plan_.relay_headers = false;
    plan_.headers = Named("/record/headers", *record_.headers);
  }

  void Partition() {
    const Known* const column = WithRole(OUTBOX_ROLE_PARTITION);
    if (column == nullptr) return;
    const bool whole = column->source.type.kind == OUTBOX_COLUMN_INTEGER;
    const bool as_debezium = column->type == "integer" || column->type == "int" || column->type.starts_with("int(");
    if (!whole || (plan_.style == Style::kDebezium && !as_debezium))
      return Wrong("/storage/options/columns/partition",
                   "the column \"" + column->source.name + "\" is " + TypeOf(column->source) + "; expected " +
                       (plan_.style == Style::kDebezium ? "int, as Debezium asks" : "a whole number"));
    plan_.partition = column->source;
  }

  void Timestamp() {
    if (record_.timestamp == "sent") return;
    if (record_.timestamp == "created_at") {
      plan_.timestamp = Source{Field::kCreatedAt, 0, {OUTBOX_COLUMN_INSTANT, -1}, "created_at"};
      return;
    }
    const auto compiled = Compiled("/record/timestamp", record_.timestamp);
    if (!compiled) return;
    if (!compiled->IsOnlyValue())
      return Wrong("/record/timestamp",
                   "expected \"sent\", \"created_at\", or one column in braces, such as \"{occurred_at}\"");
    const Source& column = *compiled->pieces[0].value;
    const bool instant = column.type.kind == OUTBOX_COLUMN_INSTANT, face = column.type.kind == OUTBOX_COLUMN_TIMESTAMP;
    if (!face && (!instant || plan_.style == Style::kDebezium))
      return Wrong("/record/timestamp",
                   "the column \"" + column.name + "\" is " + TypeOf(column) + "; expected " +
                       (plan_.style == Style::kDebezium ? "a timestamp without a time zone, as Debezium asks"
                                                        : "a column of a date and a time"));
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
