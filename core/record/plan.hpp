// The record section of the configuration, compiled for the columns that rows carry. It is compiled once, at start.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "config/pattern.hpp"
#include "config/record.hpp"
#include "outbox/adapter.hpp"
#include "record/column_text.hpp"

namespace outbox::record {

// The origin of a value: a column that the row carries, or a field of the event.
struct Source {
  enum class Field : std::uint8_t { kColumn, kRowId, kEventId, kKey, kEventType, kTopic, kPayload, kCreatedAt };
  Field field = Field::kColumn;
  std::size_t column = 0;  // With kColumn: the index in outbox_event.columns.
  ColumnType type = {};
  std::string name;  // Name of the column, for messages.
};

// A template whose columns have been resolved.
struct Text {
  struct Piece {
    std::string literal;          // The text before the value.
    std::optional<Source> value;  // Nothing in the last piece, which ends the text.
  };
  std::vector<Piece> pieces;
  // Returns true if the template is a single value. If that value is absent, the result is absent too, not empty.
  [[nodiscard]] bool IsOnlyValue() const {
    return pieces.size() == 2 && pieces[0].literal.empty() && pieces[1].literal.empty();
  }
};

// A header, or a member of the envelope.
struct NamedValue {
  std::string name;
  Text text;
  std::string prefix;  // JSON that is written before the value if schemas are requested.
};

// The rules by which records are made from rows. Immutable once compiled; the Shaper owns it.
struct Plan {
  Style style = Style::kPlain;

  std::optional<Text> topic;                            // Nothing = the topic is chosen by `topic_by`.
  std::optional<Source> topic_by;                       // The column whose value chooses the topic.
  std::unordered_map<std::string, std::string> topics;  // The topic for each value of the column topic_by.
  std::optional<config::Pattern> topic_pattern;         // Matched against values that are not in `topics`.
  config::Replacement matched_topic;                    // The topic if `topic_pattern` matches.
  std::optional<Text> other_topic;  // The topic for all other values; nothing = a row with another value is refused.
  bool has_topic_columns = false;   // True if topics contain values of rows, so that each name must be checked.

  std::optional<Source> key;
  std::optional<Source> payload;
  config::KeyEncoding key_encoding = config::KeyEncoding::kText;
  // Never kBytes or kBytesOrJsonString, which Compile() replaces.
  config::ValueEncoding value_encoding = config::ValueEncoding::kText;
  bool value_is_payload = true;  // With kText: true if the value is the payload's bytes, unchanged.
  bool value_schema = false;     // With kJsonDebezium: true if the schema of the document is written before it.
  bool keeps_null_members = false, json_null = false, empty_is_tombstone = false;
  // JSON that is written before and after keys, values and headers if schemas are requested.
  std::string key_prefix, key_suffix, value_prefix, value_suffix, header_suffix;
  std::optional<std::vector<NamedValue>> envelope;

  bool relay_headers = true;  // True to add event_id and event_type, as without a record section.
  std::vector<NamedValue> headers;
  bool json_headers = false;
  // True to add the headers from the row's column `headers` after the relay's or the configured headers.
  bool row_headers = false;

  std::optional<Source> partition;
  std::optional<Source> timestamp;  // Nothing = the time of sending.
};

// A mistake, with the JSON pointer of its place in the configuration.
struct Problem {
  std::string pointer, text;
};

// Compiles the record section. `columns` are the columns that the storage describes; none = the rows are those of the
// relay's own outbox, whose columns are event_id, aggregate_id, event_type, topic, payload and created_at. Adds all
// mistakes to `problems`; if there are any, the plan must not be used.
[[nodiscard]] Plan Compile(const config::Record& record, const std::vector<Column>& columns,
                           std::vector<Problem>& problems);

}  // namespace outbox::record
