// JSON of MySQL as Debezium takes it from the binary log.
#pragma once

#include <string>
#include <string_view>

namespace outbox::record {

// Appends the JSON that `select` shows as Debezium writes it: without blanks, and numbers for which Java would write an exponent with all
// digits of the double. What is no JSON is appended as it is.
void AppendBinlogJson(std::string_view json, std::string& to);

}  // namespace outbox::record
