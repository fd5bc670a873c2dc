// Writes JSON columns of MySQL in the form that Debezium reads from the binary log.
#pragma once

#include <string>
#include <string_view>

namespace outbox::record {

// Appends `json`, the text that a SELECT returns, in the form that Debezium writes: without whitespace, and with all
// digits of the double for numbers that Java would write with an exponent. A text that is not JSON is appended
// unchanged.
void AppendBinlogJson(std::string_view json, std::string& to);

}  // namespace outbox::record
