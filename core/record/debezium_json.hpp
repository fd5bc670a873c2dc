// Writes a JSON payload as Debezium's EventRouter does with table.expand.json.payload and Kafka Connect's
// JsonConverter. This was measured with Debezium 3.6.1; see tests/golden.
//
// Debezium derives a schema from the document and writes the document by this schema. A document from which none can be
// derived stays text. A few documents stop the connector or lose members; these are written here as compact JSON with
// all their content.
#pragma once

#include <string>
#include <string_view>

namespace outbox::record {

// How a payload is expanded.
struct Expansion {
  // Members that are null are kept, as with table.json.payload.null.behavior=optional_bytes.
  bool keep_nulls = false;
  // The derived schema is written before the document, as with JsonConverter's schemas.enable.
  bool with_schema = false;
  // Written before and after the JSON string of a payload that stays text.
  std::string_view text_prefix = {}, text_suffix = {};
};

// Appends what `json` becomes to `to`: a JSON document, or a JSON string of the whole text if Debezium treats it as
// text.
void AppendAsDebezium(std::string_view json, const Expansion& how, std::string& to);

}  // namespace outbox::record
