// What Debezium makes of the types of columns.
#pragma once

#include <optional>
#include <string>

#include "config/record.hpp"
#include "outbox/adapter.hpp"
#include "record/column_text.hpp"

namespace outbox::record {

// Nothing = nobody has measured what becomes of such a column.
[[nodiscard]] std::optional<ColumnType> DebeziumType(const Column& column, const config::Types& types);

// The schema of such a column as Kafka Connect's JsonConverter writes it, if no DEFAULT is declared for the column, which would be
// in it too. Nothing = it is not known.
[[nodiscard]] std::optional<std::string> ConnectSchema(const Column& column, const config::Types& types);

// Is the column's text, as a key or with header.converter StringConverter, that of a Java object, which nobody can make again?
[[nodiscard]] bool IsJavaObject(const ColumnType& type);

}  // namespace outbox::record
