// The "record" section: how a row becomes a record of Kafka's. Texts are templates: `{column}` stands for the value of a column,
// `{{` for a brace, all else for itself.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace outbox::config {

struct NamedText {
  std::string name, text;
  bool operator==(const NamedText&) const = default;
};

// What a key becomes.
enum class KeyEncoding { kText, kJson };

// What a header's value becomes.
enum class HeaderEncoding {
  kText,    // text, also of what Kafka Connect's SimpleHeaderConverter writes as JSON
  kString,  // the same, but columns that its StringConverter writes otherwise are refused
  kJson
};

// What a payload becomes.
enum class ValueEncoding {
  kText,               // its text
  kBytes,              // the bytes of a column of bytes; others are refused
  kBytesOrJsonString,  // the same, but others are a JSON string
  kJsonString,         // a JSON string of its text
  kJson,               // the same JSON without blanks
  kJsonDebezium,       // as Debezium's expand.json.payload writes it
  kBase64,
  kBase64Url,
  kHex
};

// How Debezium was configured to write types that it can write in several ways: its properties binary.handling.mode,
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
  bool json_of_binlog = false;  // not configured: record/binlog_json.hpp
};

// One topic for each value of a column, or one for all values that a regular expression matches.
struct TopicMap {
  std::string by;  // the column
  std::vector<NamedText> is;
  std::string matches = {}, to = {};     // config/pattern.hpp; "" = none
  std::optional<std::string> otherwise;  // template; nothing = an event with any other value fails
  bool operator==(const TopicMap&) const = default;
};

// As it is written by default, a row of the relay's own outbox is a record by itself.
struct Record {
  bool operator==(const Record&) const = default;

  std::string like;                  // the profile that the defaults come from, "" = none
  std::optional<std::string> topic;  // template; nothing = `topics`, or the row's own topic
  std::optional<TopicMap> topics;
  KeyEncoding key = KeyEncoding::kText;
  ValueEncoding value = ValueEncoding::kText;
  HeaderEncoding header = HeaderEncoding::kText;
  // JSON as Kafka Connect's JsonConverter writes it with its schema around it.
  bool key_schema = false, value_schema = false, header_schema = false;
  Types types;
  bool keeps_null_members = false;  // with kJsonDebezium: members that are null are sent
  bool json_null = false;           // an absent JSON key or value is the text null, not nothing
  bool empty_is_tombstone = false;  // a payload of blanks only is no value
  std::optional<std::vector<NamedText>>
      envelope;  // members beside the payload, in this order; the values are templates
  std::optional<std::vector<NamedText>>
      headers;                     // in this order; the values are templates; nothing = the relay's own two
  std::string timestamp = "sent";  // or "created_at", or a template of one column
};

}  // namespace outbox::config
