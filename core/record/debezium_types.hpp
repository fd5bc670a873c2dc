// How Debezium writes columns, by their types in the database.
#pragma once

#include <optional>
#include <string>

#include "config/record.hpp"
#include "outbox/adapter.hpp"
#include "record/column_text.hpp"

namespace outbox::record {

// Returns how the column is written, or nothing if what Debezium writes for such a column was not measured.
[[nodiscard]] std::optional<ColumnType> DebeziumType(const Column& column, const config::Types& types);

// Returns the schema of the column as Kafka Connect's JsonConverter writes it, or nothing if that is not known. Assumes
// that the column has no DEFAULT, which would be in the schema too.
[[nodiscard]] std::optional<std::string> ConnectSchema(const Column& column, const config::Types& types);

// Returns true if the column's text, as a key or with StringConverter as header.converter, is that of a Java object,
// which cannot be reproduced.
[[nodiscard]] bool IsJavaObject(const ColumnType& type);

}  // namespace outbox::record
