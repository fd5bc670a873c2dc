// Types whose values a database writes as a text of its own, such as times of the day and lists, as Debezium writes them.
//
// The texts are those of PostgreSQL with DateStyle ISO, IntervalStyle postgres and TimeZone UTC, and of MySQL. A text of another
// form is passed on as it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace outbox::record {

enum class TextForm : std::uint8_t {
  kTimeMicros,    // "03:04:05.678901" as microseconds since midnight
  kTimeMillis,    // the same as milliseconds
  kTimeOfMillis,  // "03:04:05.678Z"
  kTimeIso,       // "03:04:05.678901Z", without zeros at the end
  kTimeTz,        // "03:04:05.678901+02" as a time in UTC
  kInterval,      // "1 day 02:00:00" as microseconds
  kIntervalIso,   // the same as "P0Y0M1DT2H0M0S"
  kMoney,         // "$12.34" as a decimal
  kMoneyText,     // the same, also in JSON
  kMoneyDouble,   // the same as a double
  kBit,           // "1" as true
  kBits,          // "101" as bytes, the lowest bit first
  kPoint,         // "(1,2)" as a JSON object
  kTexts,         // "{a,\"b c\",NULL}" as a JSON list of texts
  kNumbers,       // "{1,2}" as a JSON list of numbers
};

// As a header or a key.
void AppendDatabaseText(TextForm form, std::string_view value, std::string& to);
// As a member of a JSON object.
void AppendDatabaseJson(TextForm form, std::string_view value, std::string& to);

}  // namespace outbox::record
