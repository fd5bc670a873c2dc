// created_at as SQLite keeps it: text, or a number of seconds.
#pragma once

#include <cstdint>
#include <string>

#include "sqlite/connection.hpp"

namespace outbox::sqlite {

// Microseconds since 1970 UTC; 0 = unknown.
std::int64_t ToMicros(const Prepared& row, int column);

// SQL of the same: microseconds, or a text for sql::ParseTime.
std::string MicrosOf(const std::string& column);

// Milliseconds since 1970 by the clock of the database's process; SQLite before 3.42 knows no unixepoch('subsec').
// The half keeps the rounding of julianday's double from losing one.
inline constexpr const char* kNow = "cast((julianday('now') - 2440587.5) * 86400000.0 + 0.5 as integer)";
// The same for people.
inline constexpr const char* kPeoplesNow = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";

}  // namespace outbox::sqlite
