// Writes a JSON payload as Debezium's EventRouter does with table.expand.json.payload and Kafka Connect's
// JsonConverter. The output was measured with Debezium 3.6.1; see tests/golden.
//
// Debezium derives a schema from the document and writes the document according to that schema. A document from which
// no schema can be derived stays text. A few documents stop Debezium's connector or lose members in it;
// AppendAsDebezium() writes such documents as compact JSON with all their content.
#pragma once

#include <string>
#include <string_view>

namespace outbox::record {

// The options for the expansion of a payload.
struct Expansion {
  // True to keep members that are null, as with table.json.payload.null.behavior=optional_bytes.
  bool keep_nulls = false;
  // True to write the derived schema before the document, as with JsonConverter's schemas.enable.
  bool with_schema = false;
  // Texts that are written before and after the JSON string of a payload that stays text.
  std::string_view text_prefix = {}, text_suffix = {};
};

// Appends the expanded form of `json` to `to`: a JSON document or, if Debezium treats `json` as text, a JSON string of
// the whole text.
void AppendAsDebezium(std::string_view json, const Expansion& how, std::string& to);

}  // namespace outbox::record
