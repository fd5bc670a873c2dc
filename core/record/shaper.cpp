#include "record/shaper.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include "outbox/base64.hpp"
#include "outbox/record_rules.hpp"
#include "record/compact_json.hpp"
#include "record/debezium_json.hpp"

namespace outbox::record {
namespace {

using config::ValueEncoding;
using publisher::PreparedBatch;
using publisher::Refusal;
using publisher::Shaped;

constexpr std::size_t kNowhere = std::string::npos;
constexpr std::size_t kShownValue = 100;  // Greatest number of bytes of a value in a message.

// Returns a value of a row; nothing = NULL. A value that has to be formatted is stored in `room`.
Bytes ValueOf(const outbox_event& row, const Source& source, std::string& room) {
  using Field = Source::Field;
  switch (source.field) {
    case Field::kColumn:
      return source.column < row.column_count ? Maybe(row.columns[source.column]) : std::nullopt;
    case Field::kRowId:
      room = ToRowId(row.row_id).ToText();
      return room;
    case Field::kEventId:
      return Maybe(row.event_id);
    case Field::kKey:
      return Maybe(row.aggregate_id);
    case Field::kEventType:
      return Maybe(row.event_type);
    case Field::kTopic:
      return Maybe(row.topic);
    case Field::kPayload:
      return Maybe(row.payload);
    case Field::kCreatedAt:
      if (row.created_us == 0) return std::nullopt;
      room = std::to_string(row.created_us);
      return room;
  }
  return std::nullopt;
}

bool IsBlank(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) <= 0x20; });
}

// Shapes one batch. New bytes are appended to shaped_bytes, which may move as it grows, so positions in it are
// converted to pointers at the end.
class Work {
 public:
  Work(const Plan& plan, publisher::HeaderValues header_values, PreparedBatch& batch)
      : plan_(plan), header_values_(header_values), batch_(batch), made_(batch.shaped_bytes) {}

  void Run() {
    const std::size_t count = batch_.batch.size();
    batch_.shaped.assign(count, Shaped{});
    places_.assign(count, Places{});
    ReserveValues();
    for (std::size_t i = 0; i < count; ++i) {
      row_ = &batch_.batch[i];
      shaped_ = &batch_.shaped[i];
      at_ = &places_[i];
      (void)One();
    }
    for (std::size_t i = 0; i < count; ++i) {
      Shaped& s = batch_.shaped[i];
      for (const auto& [bytes, at] : {std::pair(&s.topic, places_[i].topic), std::pair(&s.key, places_[i].key),
                                      std::pair(&s.value, places_[i].value)})
        if (at != kNowhere) bytes->data = made_.data() + at;
    }
  }

 private:
  struct Places {
    std::size_t topic = kNowhere, key = kNowhere, value = kNowhere;
  };

  // Reserves memory for the values of the batch. Values that are made from payloads are about as long as the payloads.
  // Without the reservation the bytes would be copied several times while the text grows.
  void ReserveValues() {
    if (SendsPayload()) return;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < batch_.batch.size(); ++i) bytes += batch_.batch[i].payload.size;
    made_.reserve(bytes + bytes / 16);
  }

  // Returns true if the value of a record is the payload's own bytes, which are not copied.
  [[nodiscard]] bool SendsPayload() const {
    return !plan_.envelope && plan_.value_encoding == ValueEncoding::kText && plan_.value_is_payload;
  }

  bool One() { return Topic() && Partition() && Timestamp() && Key() && Value() && Headers(); }

  bool Refuse(const char* reason, std::string text) {
    batch_.Refuse(shaped_->refusal, Refusal{reason, std::move(text)});
    return false;
  }

  // Makes `bytes` refer to the bytes that were appended to made_ since `begin`.
  void Made(outbox_bytes& bytes, std::size_t& at, std::size_t begin) const {
    at = begin;
    bytes.size = made_.size() - begin;
  }

  // Appends the text to `to`. Returns false if `needs_all` is true and a value is NULL; null_ is then the name of its
  // column.
  bool Append(const Text& text, bool needs_all, std::string& to) {
    for (const Text::Piece& piece : text.pieces) {
      to += piece.literal;
      if (!piece.value) continue;
      const Bytes value = ValueOf(*row_, *piece.value, room_);
      if (!value && needs_all) return null_ = &piece.value->name, false;
      if (value) AppendText(piece.value->type, plan_.style, *value, to);
    }
    return true;
  }

  config::Pattern::Outcome AppendMatch(std::string_view value) {
    const auto outcome = plan_.topic_pattern->Match(value, groups_);
    if (outcome != config::Pattern::Outcome::kMatches) return outcome;
    for (const config::Replacement::Piece& piece : plan_.matched_topic.pieces) {
      made_ += piece.literal;
      if (!piece.is_end) made_ += groups_[piece.group];
    }
    return outcome;
  }

  bool Topic() {
    const std::size_t begin = made_.size();
    const Text* text = plan_.topic ? &*plan_.topic : nullptr;
    if (plan_.topic_by) {
      const Bytes by = ValueOf(*row_, *plan_.topic_by, room_);
      const auto found = by ? plan_.topics.find(std::string(*by)) : plan_.topics.end();
      auto matched = config::Pattern::Outcome::kDiffers;
      if (found == plan_.topics.end() && by && plan_.topic_pattern) matched = AppendMatch(*by);
      if (matched == config::Pattern::Outcome::kTooLong)
        return Refuse("bad_topic", "matching /record/topic/matches against the value \"" +
                                       std::string(by->substr(0, kShownValue)) + "\" takes too many steps");
      if (found != plan_.topics.end()) {
        made_ += found->second;
      } else if (matched == config::Pattern::Outcome::kMatches) {
        // AppendMatch() has appended the topic.
      } else if (plan_.other_topic) {
        text = &*plan_.other_topic;
      } else {
        return Refuse("bad_topic", "/record/topic has no topic for the value " +
                                       (by ? '"' + std::string(by->substr(0, kShownValue)) + '"' : "NULL") +
                                       " of the column \"" + plan_.topic_by->name + "\", and no \"else\"");
      }
    }
    if (text != nullptr && !Append(*text, /*needs_all=*/true, made_)) {
      made_.resize(begin);
      return Refuse("bad_topic", "the column \"" + *null_ + "\" is NULL, but the topic needs its value");
    }
    const std::string_view name = std::string_view(made_).substr(begin);
    if (last_topic_ != kNowhere && name == std::string_view(made_).substr(last_topic_, last_size_)) {
      made_.resize(begin);
      at_->topic = last_topic_;
      shaped_->topic.size = last_size_;
      return true;
    }
    if (const auto bad = plan_.has_topic_columns ? BadTopicName(name) : std::nullopt) {
      const std::string shown(name.substr(0, kShownValue));
      // The invalid topic is kept, because the failure policy of the row depends on its topic.
      Made(shaped_->topic, at_->topic, begin);
      return Refuse("bad_topic", "the row's columns make \"" + shown + "\", which is not a valid topic name: " + *bad);
    }
    Made(shaped_->topic, at_->topic, begin);
    last_topic_ = begin;
    last_size_ = shaped_->topic.size;
    return true;
  }

  bool Key() {
    if (!plan_.key) return true;
    const Bytes key = ValueOf(*row_, *plan_.key, room_);
    const std::size_t begin = made_.size();
    if (plan_.key_encoding == config::KeyEncoding::kJson) {
      if (!key && !plan_.json_null) return true;
      made_ += plan_.key_prefix;
      if (key)
        AppendJson(plan_.key->type, plan_.style, *key, made_);
      else
        made_ += "null";
      made_ += plan_.key_suffix;
    } else if (!key) {
      return true;
    } else if (IsItsText(plan_.key->type, plan_.style) && key->data() != room_.data()) {
      shaped_->key = Raw(*key);
      return true;
    } else {
      AppendText(plan_.key->type, plan_.style, *key, made_);
    }
    Made(shaped_->key, at_->key, begin);
    return true;
  }

  bool Value() {
    const Bytes payload = plan_.payload ? ValueOf(*row_, *plan_.payload, room_) : std::nullopt;
    if (plan_.empty_is_tombstone && IsEmpty(payload)) return true;
    const bool json = plan_.envelope || plan_.value_encoding == ValueEncoding::kJsonString ||
                      plan_.value_encoding == ValueEncoding::kJson ||
                      plan_.value_encoding == ValueEncoding::kJsonDebezium;
    if (!payload && !plan_.envelope && !(json && plan_.json_null)) return true;
    if (SendsPayload()) {
      shaped_->value = Raw(*payload);
      return true;
    }
    const std::size_t begin = made_.size();
    const bool good = plan_.envelope ? Envelope(payload) : AppendPayload(payload);
    Made(shaped_->value, at_->value, begin);
    return good;
  }

  // Returns true for a payload that Debezium treats as empty: NULL, and text of whitespace only. A binary value is
  // never empty for Debezium, even with zero bytes, unless a mode turns it into text.
  [[nodiscard]] bool IsEmpty(const Bytes& payload) const {
    if (!payload) return true;
    const ColumnType& type = plan_.payload->type;
    if (type.kind == OUTBOX_COLUMN_BYTES) return type.form != Form::kOfKind && payload->empty();
    return IsBlank(*payload);
  }

  bool Envelope(const Bytes& payload) {
    made_ += "{\"payload\":";
    if (!AppendPayload(payload)) return false;
    for (const NamedValue& member : *plan_.envelope) {
      made_ += ',';
      AppendJsonString(member.name, made_);
      made_ += ':';
      AppendMember(member.text);
    }
    made_ += '}';
    return true;
  }

  void AppendMember(const Text& text) {
    if (text.IsOnlyValue()) {
      const Source& source = *text.pieces[0].value;
      if (const Bytes value = ValueOf(*row_, source, room_))
        AppendJson(source.type, plan_.style, *value, made_);
      else
        made_ += "null";
      return;
    }
    text_.clear();
    (void)Append(text, /*needs_all=*/false, text_);
    AppendJsonString(text_, made_);
  }

  // Appends the value that is made from the payload. Not called if the value of the record is the payload's own bytes.
  bool AppendPayload(const Bytes& payload) {
    if (!payload) {
      made_ += plan_.value_prefix;
      made_ += "null";
      made_ += plan_.value_suffix;
      return true;
    }
    const auto encoded = [&](Form form) {
      if (plan_.envelope) made_ += '"';
      AppendBytes(form, *payload, made_);
      if (plan_.envelope) made_ += '"';
      return true;
    };
    switch (plan_.value_encoding) {
      case ValueEncoding::kJson:
        if (const auto wrong = AppendCompact(*payload, made_))
          return Refuse("bad_json", "the payload is not JSON: error at byte " + std::to_string(*wrong + 1) + " of " +
                                        std::to_string(payload->size()));
        return true;
      case ValueEncoding::kJsonDebezium:
        AppendExpanded(*payload);
        return true;
      case ValueEncoding::kBase64:
        return encoded(Form::kBase64);
      case ValueEncoding::kBase64Url:
        return encoded(Form::kBase64Url);
      case ValueEncoding::kHex:
        return encoded(Form::kHex);
      case ValueEncoding::kText:
        if (!plan_.envelope) {
          AppendText(plan_.payload->type, plan_.style, *payload, made_);
          return true;
        }
        [[fallthrough]];
      default:
        made_ += plan_.value_prefix;
        AppendJson(plan_.payload->type, plan_.style, *payload, made_);
        made_ += plan_.value_suffix;
        return true;
    }
  }

  void AppendExpanded(std::string_view payload) {
    const Expansion how{plan_.keeps_null_members, plan_.value_schema, plan_.value_prefix, plan_.value_suffix};
    if (plan_.payload->type.form == Form::kOfKind) return AppendAsDebezium(payload, how, made_);
    text_.clear();
    AppendText(plan_.payload->type, plan_.style, payload, text_);
    AppendAsDebezium(text_, how, made_);
  }

  bool Headers() {
    publisher::HeaderWriter writer(batch_.packed_headers);
    shaped_->headers_at = static_cast<std::uint32_t>(writer.at());
    if (plan_.relay_headers) {
      writer.Add(kEventIdHeader, View(row_->event_id));
      writer.Add(kEventTypeHeader, View(row_->event_type));
    }
    for (const NamedValue& header : plan_.headers) AddHeader(header, writer);
    if (plan_.row_headers && row_->headers.data != nullptr) {
      if (const Status added = publisher::AddHeaders(View(row_->headers), writer, header_values_); !added.ok()) {
        writer.Discard();
        return Refuse("bad_headers", added.text());
      }
    }
    writer.Finish();
    shaped_->headers_size = static_cast<std::uint32_t>(batch_.packed_headers.size()) - shaped_->headers_at;
    return true;
  }

  void AddJsonHeader(const NamedValue& header, publisher::HeaderWriter& writer) {
    const bool only_value = header.text.IsOnlyValue();
    const Bytes value = only_value ? ValueOf(*row_, *header.text.pieces[0].value, room_) : std::nullopt;
    if (only_value && !value && !plan_.json_null) return writer.Add(header.name, std::nullopt);
    json_ = header.prefix;
    if (!only_value) {
      text_.clear();
      (void)Append(header.text, /*needs_all=*/false, text_);
      AppendJsonString(text_, json_);
    } else if (value) {
      AppendJson(header.text.pieces[0].value->type, plan_.style, *value, json_);
    } else {
      json_ += "null";
    }
    json_ += plan_.header_suffix;
    writer.Add(header.name, json_);
  }

  void AddHeader(const NamedValue& header, publisher::HeaderWriter& writer) {
    if (plan_.json_headers) return AddJsonHeader(header, writer);
    if (header.text.IsOnlyValue()) {
      const Source& source = *header.text.pieces[0].value;
      const Bytes value = ValueOf(*row_, source, room_);
      if (!value || IsItsText(source.type, plan_.style)) return writer.Add(header.name, value);
    }
    text_.clear();
    (void)Append(header.text, /*needs_all=*/false, text_);
    writer.Add(header.name, text_);
  }

  bool Partition() {
    if (!plan_.partition) return true;
    const Bytes value = ValueOf(*row_, *plan_.partition, room_);
    if (!value) return true;
    const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), shaped_->partition);
    if (error == std::errc() && shaped_->partition >= 0) return true;
    shaped_->partition = -1;
    return Refuse("bad_partition", "the row requests partition " + std::string(value->substr(0, kShownValue)) +
                                       ", in the column \"" + plan_.partition->name + "\"");
  }

  bool Timestamp() {
    if (!plan_.timestamp) return true;
    const Bytes value = ValueOf(*row_, *plan_.timestamp, room_);
    if (!value) return true;
    const std::int64_t millis = MillisOf(*value);
    if (millis < -1)
      return Refuse("bad_timestamp", "the column \"" + plan_.timestamp->name +
                                         "\" contains a time before 1970, which Kafka does not support");
    shaped_->timestamp_ms = std::max<std::int64_t>(millis, 0);  // -1 means no timestamp in Kafka.
    return true;
  }

  const Plan& plan_;
  const publisher::HeaderValues header_values_;
  PreparedBatch& batch_;
  std::string& made_;
  std::vector<Places> places_;
  const outbox_event* row_ = nullptr;
  Shaped* shaped_ = nullptr;
  Places* at_ = nullptr;
  std::size_t last_topic_ = kNowhere, last_size_ = 0;
  const std::string* null_ = nullptr;  // Name of the column that was NULL.
  std::string room_, text_, json_;
  std::vector<std::string_view> groups_;
};

}  // namespace

void Shaper::Shape(PreparedBatch& batch) const { Work(plan_, header_values_, batch).Run(); }

}  // namespace outbox::record
