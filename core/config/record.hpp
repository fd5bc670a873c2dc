// The "record" section of the configuration: how a row becomes a Kafka record. Texts are templates: `{column}` stands
// for the value of a column, `{{` for a brace, and everything else for itself.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace outbox::config {

struct NamedText {
  std::string name, text;
  bool operator==(const NamedText&) const = default;
};

// The encoding of a record's key.
enum class KeyEncoding { kText, kJson };

// The encoding of a header's value.
enum class HeaderEncoding {
  kText,    // Text, including values that Kafka Connect's SimpleHeaderConverter writes as JSON.
  kString,  // Text, but columns that Kafka Connect's StringConverter writes as a Java object are refused.
  kJson     // JSON.
};

// The encoding of the payload as the value of a record.
enum class ValueEncoding {
  kText,               // The text of the payload.
  kBytes,              // The bytes of a binary column; other columns are refused.
  kBytesOrJsonString,  // The bytes of a binary column; other columns are written as a JSON string.
  kJsonString,         // A JSON string that contains the text of the payload.
  kJson,               // The same JSON without whitespace.
  kJsonDebezium,       // The JSON that Debezium writes with table.expand.json.payload.
  kBase64,
  kBase64Url,
  kHex
};

// The forms that Debezium was configured to write for types with several forms: its properties binary.handling.mode,
// decimal.handling.mode, time.precision.mode and interval.handling.mode.
struct Types {
  enum class Binary { kBytes, kBase64, kBase64Url, kHex };
  enum class Decimal { kPrecise, kString, kDouble };
  enum class Time { kAdaptive, kAdaptiveMicros, kConnect, kIso };
  enum class Interval { kNumeric, kString };
  bool operator==(const Types&) const = default;

  Binary binary = Binary::kBytes;
  Decimal decimal = Decimal::kPrecise;
  Time time = Time::kAdaptive;
  Interval interval = Interval::kNumeric;
  // True to write JSON as MySQL's binary log has it (record/binlog_json.hpp). Derived from profile and plugin, not a
  // key.
  bool json_of_binlog = false;
};

// Chooses the topic by the value of a column: a topic for each value, and one for values that a regular expression
// matches.
struct TopicMap {
  std::string by;                        // The name of the column.
  std::vector<NamedText> is;             // Pairs of value and topic.
  std::string matches = {}, to = {};     // Expression and replacement (config/pattern.hpp); "" = none.
  std::optional<std::string> otherwise;  // A template for any other value; nothing = an event with another value fails.
  bool operator==(const TopicMap&) const = default;
};

// The values of the record section. With the defaults, a row of the relay's own outbox becomes a record without any
// change.
struct Record {
  bool operator==(const Record&) const = default;

  std::string like;                  // The profile from which the defaults come; "" = none.
  std::optional<std::string> topic;  // A template; nothing = by `topics`, or the row's own topic.
  std::optional<TopicMap> topics;
  KeyEncoding key = KeyEncoding::kText;
  ValueEncoding value = ValueEncoding::kText;
  HeaderEncoding header = HeaderEncoding::kText;
  // True if JSON is wrapped in its schema, as Kafka Connect's JsonConverter writes it.
  bool key_schema = false, value_schema = false, header_schema = false;
  Types types;
  bool keeps_null_members = false;  // With kJsonDebezium: true if members that are null are kept.
  bool json_null = false;           // True if an absent JSON key, value or header is written as the text null.
  bool empty_is_tombstone = false;  // True if a payload of whitespace only becomes a tombstone.
  // Members beside the payload, in this order; their values are templates. Nothing = the value has no envelope.
  std::optional<std::vector<NamedText>> envelope;
  // All headers, in this order; their values are templates. Nothing = the relay's own two headers.
  std::optional<std::vector<NamedText>> headers;
  std::string timestamp = "sent";  // "sent", "created_at", or a template of one column.
};

}  // namespace outbox::config
