// Converts values that arrive in the database's own text form, such as times of day and lists, to the form that
// Debezium writes.
//
// The forms are those of PostgreSQL with DateStyle ISO, IntervalStyle postgres and TimeZone UTC, and those of MySQL. A
// text of any other form is passed on unchanged.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace outbox::record {

// The form of a text, and the form to which it is converted.
enum class TextForm : std::uint8_t {
  kTimeMicros,    // "03:04:05.678901" becomes microseconds since midnight.
  kTimeMillis,    // "03:04:05.678" becomes milliseconds since midnight.
  kTimeOfMillis,  // "03:04:05.678" becomes "03:04:05.678Z" as text, and milliseconds since midnight as JSON.
  kTimeIso,       // "03:04:05.678901" becomes "03:04:05.678901Z", without trailing zeros of the fraction.
  kTimeTz,        // "03:04:05.678901+02" becomes the time in UTC, "01:04:05.678901Z".
  kInterval,      // "1 day 02:00:00" becomes microseconds.
  kIntervalIso,   // "1 day 02:00:00" becomes "P0Y0M1DT2H0M0S".
  kMoney,         // "$12.34" becomes a decimal.
  kMoneyText,     // "$12.34" becomes "12.34", a string in JSON too.
  kMoneyDouble,   // "$12.34" becomes a double.
  kBit,           // "1" becomes true, anything else false.
  kBits,          // "101" becomes bytes in base64, the lowest bit first.
  kPoint,         // "(1,2)" becomes a JSON object.
  kTexts,         // "{a,\"b c\",NULL}" becomes a JSON list of strings.
  kNumbers,       // "{1,2}" becomes a JSON list of numbers.
};

// Appends the value as text, for a header or a key.
void AppendDatabaseText(TextForm form, std::string_view value, std::string& to);
// Appends the value as JSON, for a member of an object.
void AppendDatabaseJson(TextForm form, std::string_view value, std::string& to);

}  // namespace outbox::record
