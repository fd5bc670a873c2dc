// Conversion of times that a database returns as text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace outbox::sql {

// Returns `micros`, in microseconds since 1970, if it lies within the years 1 to 9999; otherwise 0, which means that
// the time is not known. A column of the application may hold any value of its type, such as infinity, and arithmetic
// with it must not overflow.
[[nodiscard]] constexpr std::int64_t KnownMicros(std::int64_t micros) {
  constexpr std::int64_t kYear1 = -62'135'596'800'000'000, kYear10000 = 253'402'300'800'000'000;
  return micros >= kYear1 && micros < kYear10000 ? micros : 0;
}

// Parses a UTC time such as 2024-05-01 12:34:56.789123, also with T and Z and with any number of decimals. Returns
// microseconds since 1970, or 0 if the text is not a time.
std::int64_t ParseTime(std::string_view text);
// Converts the value of a column that is NULL, an integer number of microseconds since 1970, or a text for ParseTime.
// Returns microseconds since 1970, or 0 if the time is not known.
[[nodiscard]] std::int64_t ToMicros(const std::optional<std::string>& column);

}  // namespace outbox::sql
