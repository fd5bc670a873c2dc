// The record section of the configuration, compiled against the columns that rows bring. Done once, at start.
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

// Where a value comes from: a column that the row brings, or a field of the event.
struct Source {
  enum class Field : std::uint8_t { kColumn, kRowId, kEventId, kKey, kEventType, kTopic, kPayload, kCreatedAt };
  Field field = Field::kColumn;
  std::size_t column = 0;  // with kColumn: the place in outbox_event.columns
  ColumnType type = {};
  std::string name;  // for messages
};

// A template with its columns found.
struct Text {
  struct Piece {
    std::string literal;          // before the value
    std::optional<Source> value;  // nothing = the end
  };
  std::vector<Piece> pieces;
  // Nothing but one value: an absent one is absent then, not empty.
  [[nodiscard]] bool IsOnlyValue() const {
    return pieces.size() == 2 && pieces[0].literal.empty() && pieces[1].literal.empty();
  }
};

struct NamedValue {
  std::string name;
  Text text;
  std::string prefix;  // what stands before JSON, where schemas are asked for
};

struct Plan {
  Style style = Style::kPlain;

  std::optional<Text> topic;  // nothing = by `topic_by`
  std::optional<Source> topic_by;
  std::unordered_map<std::string, std::string> topics;
  std::optional<config::Pattern> topic_pattern;  // for values that are not in `topics`
  config::Replacement matched_topic;
  std::optional<Text> other_topic;
  bool has_topic_columns = false;  // so that a row may make a name that no topic can have

  std::optional<Source> key;
  std::optional<Source> payload;
  config::KeyEncoding key_encoding = config::KeyEncoding::kText;
  config::ValueEncoding value_encoding = config::ValueEncoding::kText;  // neither kBytes nor kBytesOrJsonString
  bool value_is_payload = true;                                         // with kText: the payload's own bytes
  bool value_schema = false;  // with kJsonDebezium: that of the document stands before it
  bool keeps_null_members = false, json_null = false, empty_is_tombstone = false;
  // What stands around JSON where schemas are asked for.
  std::string key_prefix, key_suffix, value_prefix, value_suffix, header_suffix;
  std::optional<std::vector<NamedValue>> envelope;

  bool relay_headers = true;  // event_id and event_type, as without a record section
  std::vector<NamedValue> headers;
  bool json_headers = false;
  bool row_headers = false;  // those of the row's own column follow

  std::optional<Source> partition;
  std::optional<Source> timestamp;  // nothing = when it is sent
};

// What is wrong, and the JSON pointer of the place in the configuration.
struct Problem {
  std::string pointer, text;
};

// `columns` are those that the storage describes; none = rows of the relay's own outbox, whose columns have the names event_id,
// aggregate_id, event_type, topic, payload and created_at. `problems` gets all that is wrong; the plan is then of no use.
[[nodiscard]] Plan Compile(const config::Record& record, const std::vector<Column>& columns,
                           std::vector<Problem>& problems);

}  // namespace outbox::record
