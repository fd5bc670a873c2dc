// Times in SQLite. The column created_at holds text or a number of seconds.
#pragma once

#include <cstdint>
#include <string>

#include "sqlite/connection.hpp"

namespace outbox::sqlite {

// Returns the time in a column, in microseconds since 1970 UTC; 0 = unknown.
std::int64_t ToMicros(const Prepared& row, int column);

// Returns an SQL expression for the time in a column: a number of microseconds, or a text for sql::ParseTime.
std::string MicrosOf(const std::string& column);

// SQL expression for the present time in milliseconds since 1970, by the clock of the process in which SQLite runs. It
// does not use unixepoch('subsec'), which SQLite has only since 3.42. Without the added 0.5, the rounding of
// julianday's double could lose a millisecond.
inline constexpr const char* kNow = "cast((julianday('now') - 2440587.5) * 86400000.0 + 0.5 as integer)";
// SQL expression for the present time as text, for people.
inline constexpr const char* kPeoplesNow = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";

}  // namespace outbox::sqlite
