#include "sqlite/time.hpp"

#include "sql/sql_template.hpp"
#include "sql/time.hpp"

namespace outbox::sqlite {
namespace {

// Converts seconds to microseconds. Returns 0 if the number is not a time: it may be any number that SQLite can store,
// infinite, or not a number at all.
std::int64_t FromSeconds(double seconds) {
  // This time is beyond the year 9999, and far below the limit of an integer in microseconds.
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
