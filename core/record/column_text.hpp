// The value of a column as text and as JSON.
//
// Values arrive as outbox/ext/columns.h writes them for their kind. Two styles write them: kPlain as a reader of JSON would expect,
// kDebezium byte for byte as Debezium 3.6 does with its default modes, which is measured in tests/golden.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "outbox/ext/columns.h"
#include "record/database_text.hpp"

namespace outbox::record {

enum class Style : std::uint8_t { kPlain, kDebezium };

// What Debezium makes of a column's kind, where that is not what its default modes make of it.
enum class Form : std::uint8_t {
  kOfKind,
  kBase64,         // of BYTES: the text itself, where kOfKind is bytes that become text
  kBase64Url,      // the same with - and _
  kHex,            // the same in hexadecimal digits
  kBinlogJson,     // of JSON: as in MySQL's binary log
  kBits,           // of INTEGER: bytes of ColumnType::scale bits, the lowest first
  kSigned,         // of INTEGER: 64 bits with a sign, whatever the column has
  kDecimalText,    // of DECIMAL: decimal.handling.mode=string
  kDecimalDouble,  // the same of double
  kConnectTime,    // of TIMESTAMP and DATE: time.precision.mode=connect
  kIsoTime,        // the same of isostring
  kDatabaseText    // of OTHER: ColumnType::text
};

struct ColumnType {
  std::int32_t kind = OUTBOX_COLUMN_TEXT;  // OUTBOX_COLUMN_...
  std::int32_t scale = -1;
  Form form = Form::kOfKind;
  TextForm text = TextForm::kTimeMicros;  // with kDatabaseText
};

// As a header, a key of text, or a part of a template. Appends to `to`.
void AppendText(ColumnType type, Style style, std::string_view value, std::string& to);
// Is AppendText() the value itself?
[[nodiscard]] bool IsItsText(ColumnType type, Style style);

// As a member of a JSON object, or as a JSON key. Appends to `to`.
void AppendJson(ColumnType type, Style style, std::string_view value, std::string& to);

// Bytes as the form says: base64, base64 for URLs, or hexadecimal digits.
void AppendBytes(Form form, std::string_view bytes, std::string& to);

// Milliseconds since 1970 of a TIMESTAMP or an INSTANT, rounded towards zero.
[[nodiscard]] std::int64_t MillisOf(std::string_view value);

// A JSON string of `text`, with the quotes, as Jackson and JSON.stringify escape it, but that characters beyond U+FFFF are written
// as two escapes (as Jackson does). What is not UTF-8 is copied.
void AppendJsonString(std::string_view text, std::string& to);

}  // namespace outbox::record
