// Writes the value of a column as text or as JSON.
//
// outbox/ext/columns.h defines the form in which values arrive, by the kind of their column. Values are written in one
// of two styles: kPlain is what a reader of JSON expects; kDebezium is byte for byte what Debezium 3.6 writes with its
// default modes, as measured in tests/golden.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "outbox/ext/columns.h"
#include "record/database_text.hpp"

namespace outbox::record {

enum class Style : std::uint8_t { kPlain, kDebezium };

// The form in which Debezium writes a column, if its modes or the column's type make it differ from the default for the
// column's kind.
enum class Form : std::uint8_t {
  kOfKind,     // The default form of the column's kind.
  kBase64,     // For BYTES: text in base64. With kOfKind, BYTES remain bytes and become text only where text is needed.
  kBase64Url,  // For BYTES: text in base64 with - and _.
  kHex,        // For BYTES: text of hexadecimal digits.
  kBinlogJson,     // For JSON: as in MySQL's binary log.
  kBits,           // For INTEGER: ColumnType::scale bits as bytes, the lowest byte first.
  kSigned,         // For INTEGER: as a signed number of 64 bits, even if the column is unsigned.
  kDecimalText,    // For DECIMAL: decimal.handling.mode=string.
  kDecimalDouble,  // For DECIMAL: decimal.handling.mode=double.
  kConnectTime,    // For TIMESTAMP and DATE: time.precision.mode=connect.
  kIsoTime,        // For TIMESTAMP and DATE: time.precision.mode=isostring.
  kDatabaseText    // For OTHER: as ColumnType::text says.
};

// The properties of a column that determine how its values are written.
struct ColumnType {
  std::int32_t kind = OUTBOX_COLUMN_TEXT;  // One of OUTBOX_COLUMN_...
  std::int32_t scale = -1;                 // As in outbox_column; with kBits, the number of bits.
  Form form = Form::kOfKind;
  TextForm text = TextForm::kTimeMicros;  // Used only with kDatabaseText.
};

// Appends the value as text: for a header, a text key, or a part of a template.
void AppendText(ColumnType type, Style style, std::string_view value, std::string& to);
// Returns true if AppendText() appends every value of this type unchanged.
[[nodiscard]] bool IsItsText(ColumnType type, Style style);

// Appends the value as JSON: for a member of an object, or a JSON key.
void AppendJson(ColumnType type, Style style, std::string_view value, std::string& to);

// Appends bytes in the given form: base64, base64 for URLs, or hexadecimal digits.
void AppendBytes(Form form, std::string_view bytes, std::string& to);

// Returns the milliseconds since 1970 for a value of a TIMESTAMP or INSTANT column, rounded towards zero.
[[nodiscard]] std::int64_t MillisOf(std::string_view value);

// Appends `text` as a JSON string with its quotes. It is escaped as by Jackson and JSON.stringify, except that
// characters above U+FFFF are written as two escapes, as only Jackson does. Bytes that are not UTF-8 are copied.
void AppendJsonString(std::string_view text, std::string& to);

}  // namespace outbox::record
