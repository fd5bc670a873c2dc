// A payload of JSON as Debezium's EventRouter writes it with table.expand.json.payload and Kafka Connect's JsonConverter: measured
// with Debezium 3.6.1, see tests/golden.
//
// Debezium derives a schema from the document and writes the document by it. Documents that have none stay text. A few stop the
// connector, or lose members; these are written as compact JSON, with everything that is in them.
#pragma once

#include <string>
#include <string_view>

namespace outbox::record {

struct Expansion {
  // Members that are null are kept, as with table.json.payload.null.behavior=optional_bytes.
  bool keep_nulls = false;
  // JsonConverter's schemas.enable: the derived schema stands before the document.
  bool with_schema = false;
  // What stands around the JSON string of a payload that stays text.
  std::string_view text_prefix = {}, text_suffix = {};
};

// Appends what becomes of `json` to `to`: a JSON document, or, where Debezium takes it for text, a JSON string of all of it.
void AppendAsDebezium(std::string_view json, const Expansion& how, std::string& to);

}  // namespace outbox::record
