// Times that a database gives as text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace outbox::sql {

// `micros` if it lies within the years 1 to 9999, else 0, which means that the time is not known. A column of the
// application's may hold anything that its type can hold, as infinity, and no arithmetic with it may overflow.
[[nodiscard]] constexpr std::int64_t KnownMicros(std::int64_t micros) {
  constexpr std::int64_t kYear1 = -62'135'596'800'000'000, kYear10000 = 253'402'300'800'000'000;
  return micros >= kYear1 && micros < kYear10000 ? micros : 0;
}

// Microseconds since 1970 of 2024-05-01 12:34:56.789123 in UTC, also with T and Z, and with any number of decimals;
// 0 = not a time.
std::int64_t ParseTime(std::string_view text);
// Of a column that is NULL, a whole number of microseconds, or a text for ParseTime.
[[nodiscard]] std::int64_t ToMicros(const std::optional<std::string>& column);

}  // namespace outbox::sql
