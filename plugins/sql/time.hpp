// Times that a database gives as text.
#pragma once

#include <cstdint>
#include <string_view>

namespace outbox::sql {

// Microseconds since 1970 of 2024-05-01 12:34:56.789123 in UTC, also with T and Z, and with any number of decimals;
// 0 = not a time.
std::int64_t ParseTime(std::string_view text);

}  // namespace outbox::sql
