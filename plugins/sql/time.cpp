#include "sql/time.hpp"

#include <chrono>

#include "sql/row_id.hpp"

namespace outbox::sql {
namespace {

// Returns the number at [from, from+count), or -1 if these are not all digits.
int Digits(std::string_view text, std::size_t from, std::size_t count) {
  if (text.size() < from + count) return -1;
  int number = 0;
  for (std::size_t i = from; i < from + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    number = number * 10 + (text[i] - '0');
  }
  return number;
}

}  // namespace

std::int64_t ParseTime(std::string_view text) {
  const int year = Digits(text, 0, 4), month = Digits(text, 5, 2), day = Digits(text, 8, 2);
  const int hour = Digits(text, 11, 2), minute = Digits(text, 14, 2), second = Digits(text, 17, 2);
  if (year < 0 || month < 1 || day < 1 || hour < 0 || minute < 0 || second < 0) return 0;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return 0;
  std::int64_t micros = 0, unit = 100'000;
  if (text.size() > 19 && text[19] == '.')
    for (std::size_t i = 20; i < text.size() && unit > 0 && text[i] >= '0' && text[i] <= '9'; ++i, unit /= 10)
      micros += (text[i] - '0') * unit;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return KnownMicros((((days * 24 + hour) * 60 + minute) * 60 + second) * 1'000'000 + micros);
}

std::int64_t ToMicros(const std::optional<std::string>& column) {
  if (!column) return 0;
  const auto number = ParseId(*column);
  return number ? KnownMicros(*number) : ParseTime(*column);
}

}  // namespace outbox::sql
