#include "sqlite/time.hpp"

#include "sql/sql_template.hpp"
#include "sql/time.hpp"

namespace outbox::sqlite {
namespace {

// Converts seconds since 1970 to microseconds. Returns 0 if `seconds` is not a time, because the column may hold any
// number that SQLite can store, even an infinite one, or no number at all.
std::int64_t FromSeconds(double seconds) {
  // Limit in seconds. It is beyond the year 9999, and in microseconds far below the limit of a 64-bit integer.
  constexpr double kFar = 1e12;
  return seconds > -kFar && seconds < kFar ? sql::KnownMicros(static_cast<std::int64_t>(seconds * 1e6)) : 0;
}

}  // namespace

std::string MicrosOf(const std::string& column) {
  return sql::Fill("case when typeof([c]) in ('integer', 'real') then cast([c] * 1000000.0 as integer) else [c] end",
                   {{"[c]", column}});
}

std::int64_t ToMicros(const Prepared& row, int column) {
  switch (row.Type(column)) {
    case SQLITE_INTEGER:
    case SQLITE_FLOAT:
      return FromSeconds(row.Real(column));
    case SQLITE_TEXT:
      return sql::ParseTime(row.Text(column));
    default:
      return 0;
  }
}

}  // namespace outbox::sqlite
