// Determines how Debezium writes columns, by their types in the database.
#pragma once

#include <optional>
#include <string>

#include "config/record.hpp"
#include "outbox/adapter.hpp"
#include "record/column_text.hpp"

namespace outbox::record {

// Returns the form in which Debezium writes the column, or nothing if the form was not measured for a column of this
// type.
[[nodiscard]] std::optional<ColumnType> DebeziumType(const Column& column, const config::Types& types);

// Returns the schema of the column as Kafka Connect's JsonConverter writes it, or nothing if the schema is not known.
// Assumes that the column has no DEFAULT, which would be in the schema too.
[[nodiscard]] std::optional<std::string> ConnectSchema(const Column& column, const config::Types& types);

// Returns true if Debezium writes the text of a Java object, which cannot be reproduced, when the column is a key, or
// when the column is a header and header.converter is StringConverter.
[[nodiscard]] bool IsJavaObject(const ColumnType& type);

}  // namespace outbox::record
