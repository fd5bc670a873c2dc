// A payload of JSON as Debezium's EventRouter writes it with table.expand.json.payload and Kafka Connect's JsonConverter without
// schemas: measured with Debezium 3.6.1, see tests/golden.
#pragma once

#include <string>
#include <string_view>

namespace outbox::record {

// Appends what becomes of `json` to `to`: a JSON document, or, where Debezium takes it for text, a JSON string of all of it. Where
// Debezium stops or loses members, the compact JSON.
// `keep_nulls`: members that are null are kept, as with table.json.payload.null.behavior=optional_bytes.
void AppendAsDebezium(std::string_view json, bool keep_nulls, std::string& to);

}  // namespace outbox::record
